"""Options that name the formats of a topic: an error says which option is meant."""

from __future__ import annotations

from typing import Any

import click
import pytest

from streamapp.cli.formats import declared, declared_keys, format_of
from streamapp.cli.window import WindowOptions
from streamapp.errors import StreamappError
from streamapp.formats import Avro, Json, MessagePack, Raw, Registered
from streamapp.settings import Settings


@pytest.mark.parametrize(
    ("key", "name", "schema", "message"),
    [
        (False, "avro", None, "--format avro needs --schema FILE, or a registry"),
        (True, "avro", None, "--key-format avro needs --key-schema FILE, or a registry"),
        (False, "msgpack", "x.avsc", "--schema=x.avsc: msgpack takes no schema"),
        (True, "json", "x.avsc", "--key-schema=x.avsc: json takes no schema"),
    ],
)
def test_the_option_that_is_meant_is_named(key: bool, name: str, schema: str | None, message: str) -> None:
    with pytest.raises((StreamappError, click.UsageError)) as refused:
        format_of(name, schema, "orders", None, key=key)
    shown = refused.value.format_message() if isinstance(refused.value, click.UsageError) else str(refused.value)
    assert shown.startswith(message)


def test_a_topic_has_no_format_if_none_is_named() -> None:
    assert format_of(None, None, "orders", None) is declared_keys(None, "") is None
    assert declared(None, "", "--schema", Settings(), bare=False) is None


def test_keys_may_be_json_or_raw_bytes() -> None:
    assert declared_keys("json", "") == Json()
    assert declared_keys("raw", "") == Raw()


def test_results_of_windows_have_the_format_of_the_topic_or_their_own() -> None:
    given: dict[str, Any] = {"topic": "tx", "to": "sums", "count": True}
    settings = Settings()
    assert WindowOptions(**given, format_="msgpack").format_of_results(settings) == MessagePack()
    options = WindowOptions(**given, schema="tx.avsc", to_format="json", key_format="avro", key_schema="long")
    assert (options.format_of_topic(settings), options.format_of_results(settings)) == (Avro("tx.avsc"), None)
    assert options.keys == Avro("long")
    with pytest.raises(StreamappError, match="avro needs a schema: --to-schema names its file"):
        WindowOptions(**given, format_="avro", schema="tx.avsc").format_of_results(settings)


def test_with_a_registry_values_are_in_its_wire_format_unless_they_are_bare() -> None:
    given: dict[str, Any] = {"topic": "tx", "to": "sums", "count": True, "format_": "avro"}
    settings = Settings(registry_url="http://localhost:8081")
    assert WindowOptions(**given).format_of_topic(settings) == Registered()
    options = WindowOptions(**given, schema="tx.avsc", bare=True)
    assert options.format_of_topic(settings) == Avro("tx.avsc")
