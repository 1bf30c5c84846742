"""The schemas of the records that are generated; those of clicks are also those of the pipeline without its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from streamapp.formats.named import FormatName
from streamapp.pipelines.clicks.settings import CLICKS, PROFILES
from streamapp.pipelines.risk.settings import ACCOUNTS, TRANSACTIONS
from streamapp.pipelines.sensors.settings import READINGS

__all__ = ["CLICKS_PROTO", "demo_schema"]

PACKAGE: Final = Path(__file__).parent
CLICKS_PROTO: Final = "clicks/schemas/clicks.proto"
#: By topic: its file for Avro, and its message for Protobuf.
FILES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        CLICKS: ("clicks/schemas/click.avsc", f"{CLICKS_PROTO}:Click"),
        PROFILES: ("clicks/schemas/profile.avsc", f"{CLICKS_PROTO}:Profile"),
        ACCOUNTS: ("risk/schemas/account.avsc", "risk/schemas/risk.proto:Account"),
        TRANSACTIONS: ("risk/schemas/transaction.avsc", "risk/schemas/risk.proto:Transaction"),
        READINGS: ("sensors/schemas/reading.avsc", "sensors/schemas/sensors.proto:Reading"),
    }
)


def demo_schema(kind: FormatName, topic: str) -> str:
    """Return the schema of a topic's values in a format, as `named` takes it; empty = the format has none."""
    match kind:
        case FormatName.AVRO:
            return f"{PACKAGE / FILES[topic][0]}"
        case FormatName.PROTOBUF:
            return f"{PACKAGE / FILES[topic][1]}"
        case _:
            return ""
