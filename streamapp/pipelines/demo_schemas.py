"""The schemas of the records that the pipelines generate."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from streamapp.formats.named import FormatName
from streamapp.pipelines.clicks import demo_schemas
from streamapp.pipelines.risk.settings import ACCOUNTS, TRANSACTIONS
from streamapp.pipelines.sensors.settings import READINGS

__all__ = ["demo_schema"]

PACKAGE: Final = Path(__file__).parent
#: By topic: its file for Avro, and its message for Protobuf; those of clicks are also those of their pipeline.
FILES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        ACCOUNTS: ("risk/schemas/account.avsc", "risk/schemas/risk.proto:Account"),
        TRANSACTIONS: ("risk/schemas/transaction.avsc", "risk/schemas/risk.proto:Transaction"),
        READINGS: ("sensors/schemas/reading.avsc", "sensors/schemas/sensors.proto:Reading"),
    }
)


def demo_schema(kind: FormatName, topic: str) -> str:
    """Return the schema of a topic's values in a format, as `named` takes it; empty = the format has none."""
    if topic not in FILES:
        return demo_schemas.demo_schema(kind, topic)
    match kind:
        case FormatName.AVRO:
            return f"{PACKAGE / FILES[topic][0]}"
        case FormatName.PROTOBUF:
            return f"{PACKAGE / FILES[topic][1]}"
        case _:
            return ""
