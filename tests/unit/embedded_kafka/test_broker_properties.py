"""The broker's properties: ours, and what a user adds to them."""

from __future__ import annotations

from pathlib import Path

from streamapp.embedded_kafka.properties import ports_of, render, server_properties


def properties(**config: str) -> dict[str, str]:
    named = {name.replace("_", "."): value for name, value in config.items()}
    return server_properties(Path("/data"), port=9092, controller_port=9093, config=named)


def test_broker_and_controller_listen_on_loopback_only() -> None:
    assert properties()["listeners"] == "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093"
    assert properties()["controller.quorum.voters"] == "1@127.0.0.1:9093"


def test_a_property_given_takes_the_place_of_ours() -> None:
    assert properties(num_partitions="3")["num.partitions"] == "3"


def test_a_property_that_we_do_not_have_is_added() -> None:
    assert properties(compression_type="zstd")["compression.type"] == "zstd"


def test_listeners_given_come_beside_ours() -> None:
    given = properties(listeners="SECURE://127.0.0.1:9094", listener_security_protocol_map="SECURE:SASL_SSL")
    assert given["listeners"].endswith(",SECURE://127.0.0.1:9094")
    assert given["listeners"].startswith(properties()["listeners"])
    assert given["listener.security.protocol.map"] == "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL"


def test_ports_of_listeners_given_are_known() -> None:
    assert ports_of({"listeners": "SECURE://127.0.0.1:9094, WIRED://[::1]:9095"}) == {9094, 9095}
    assert ports_of({"num.partitions": "3"}) == set()


def test_text_is_escaped_as_java_reads_it() -> None:
    assert render({"log.dirs": "/home/josé/\\new\nline"}) == "log.dirs=/home/jos\\u00e9/\\\\new\\nline\n"
