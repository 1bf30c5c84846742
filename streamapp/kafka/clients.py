"""How each kind of client is set up: where the broker is, TLS and SASL, as librdkafka and as aiokafka name it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from confluent_kafka import Consumer

from streamapp.settings import Settings

__all__ = ["Aiokafka", "aiokafka", "librdkafka", "reader"]

#: As confluent-kafka wants it; options may have callbacks, too.
Config = dict[str, str | int | float | bool]
Options = Mapping[str, Any]


class Aiokafka(TypedDict, total=False):
    """How an aiokafka client is connected."""

    bootstrap_servers: str
    security_protocol: str
    sasl_mechanism: str
    sasl_plain_username: str
    sasl_plain_password: str
    ssl_context: object


def aiokafka(settings: Settings) -> Aiokafka:
    """Return the arguments by which an aiokafka client is connected."""
    config = Aiokafka(bootstrap_servers=settings.broker, security_protocol=settings.security_protocol.value)
    if settings.uses_sasl:
        config["sasl_mechanism"] = settings.sasl_mechanism.value
        config["sasl_plain_username"] = settings.sasl_username
        config["sasl_plain_password"] = settings.sasl_password
    if settings.uses_tls:
        config["ssl_context"] = settings.ssl_context()
    return config


def librdkafka(settings: Settings, options: Options | None = None) -> Config:
    """Return the configuration of a client of confluent-kafka; librdkafka's lines on stderr only repeat its errors."""
    config: Config = {
        "bootstrap.servers": settings.broker,
        "security.protocol": settings.security_protocol.value,
        "log_level": 0,
    }
    if settings.uses_sasl:
        config["sasl.mechanism"] = settings.sasl_mechanism.value
        config["sasl.username"] = settings.sasl_username
        config["sasl.password"] = settings.sasl_password
    if settings.uses_tls:
        files = {"ca": settings.ssl_cafile, "certificate": settings.ssl_certfile, "key": settings.ssl_keyfile}
        config |= {f"ssl.{name}.location": path for name, path in files.items() if path}
    return {**config, **(options or {})}


def reader(settings: Settings, group: str, options: Options | None = None) -> Consumer:
    """Make a consumer that never subscribes, and so is no member: it may ask for the offsets that the group committed.

    It begins at the first record there is, tells of the end of a partition, and does not wait there for more.
    """
    defaults = {
        "group.id": group,
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "earliest",
        "fetch.wait.max.ms": 10,
    }
    return Consumer(librdkafka(settings, {**defaults, **(options or {})}))
