"""The schemas of the clicks and profiles that are generated, which are also those of a pipeline without its own."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from streamapp.formats.named import FormatName
from streamapp.pipelines.clicks.settings import CLICKS, PROFILES

__all__ = ["DEMO_PROTO", "demo_schema"]

SCHEMAS: Final = Path(__file__).parent / "schemas"
DEMO_PROTO: Final = SCHEMAS / "clicks.proto"
FILES: Final = {
    (FormatName.AVRO, CLICKS): "click.avsc",
    (FormatName.AVRO, PROFILES): "profile.avsc",
    (FormatName.PROTOBUF, CLICKS): "clicks.proto:Click",
    (FormatName.PROTOBUF, PROFILES): "clicks.proto:Profile",
}


def demo_schema(kind: FormatName, topic: str) -> str:
    """Return the schema of a topic's values in a format, as `named` takes it; empty = the format has none."""
    file = FILES.get((kind, topic))
    return f"{SCHEMAS / file}" if file else ""
