"""What of the click join is in the wire format of a schema registry: the topics in, and results by their schemas."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

from streamapp.app import app, settings
from streamapp.errors import StreamappError
from streamapp.formats.avro import Avro
from streamapp.formats.content import headers_of_result, tells_format
from streamapp.formats.format import Format
from streamapp.formats.protobuf import Protobuf
from streamapp.formats.registered import RegisteredData
from streamapp.formats.serde import Translated
from streamapp.kafka.record import Envelope, Record, Result, Stamped
from streamapp.pipelines.clicks.formats import sides
from streamapp.pipelines.clicks.result_schemas import result_schemas
from streamapp.pipelines.clicks.settings import CLICKS, JOINED, PROFILES, UNMATCHED

__all__ = ["bare", "clicks", "framed", "joined", "profiles", "unframed", "unmatched"]


def _data(topic: str, format_: Format, *, written: bool = False) -> RegisteredData | None:
    """Return what a topic is in the wire format; None = it is not."""
    setting = JOINED if written else topic
    if not settings.registry_url or setting in settings.bare or not isinstance(format_, Avro | Protobuf):
        return None
    data = RegisteredData(format_, settings.topic(topic))
    app.declared.registered[data] = written
    return data


def _results() -> tuple[RegisteredData | None, RegisteredData | None]:
    try:
        made = result_schemas(sides.clicks.part, sides.profiles.part) if settings.registry_url else None
    except StreamappError as exc:
        raise SystemExit(f"streamapp: {exc}") from None
    if made is None:
        return None, None
    return _data(JOINED, made.joined, written=True), _data(UNMATCHED, made.unmatched, written=True)


clicks, profiles = _data(CLICKS, sides.clicks.format), _data(PROFILES, sides.profiles.format)
joined, unmatched = _results()


def bare(data: RegisteredData, record: Record) -> Record:
    """Return a record with its value as it is in the declared schema, and without what tells it.

    Raises:
        Undecodable: if it is none of a schema that the registry has.
        SchemaUnavailableError: if that is to be asked first.
    """
    if record.value is None:
        return record
    value = data.bare(record.value, record.headers)
    headers = headers_of_result(record.headers, data.name)
    return cast(Record, Translated(record.key, value, record.timestamp, record.offset, headers, record))


def framed(data: RegisteredData | None, results: Iterable[Result]) -> Sequence[Result]:
    """Return results as they are written, with what tells their schema, and nothing that tells another one."""
    if data is None:
        return [*results]
    return [(_told(data, one), data.framed(value or b"")) for one, value in results]


def _told(data: RegisteredData, one: Stamped) -> Stamped:
    """Return what a result is sent with."""
    if not data.headers and not any(tells_format(name) for name, _ in one.headers):
        return one
    own = headers_of_result(one.headers, data.name)
    return Envelope(one.key, one.timestamp, [*own, *data.headers], one)


def unframed(data: RegisteredData | None, result: Record) -> bytes:
    """Return the value of a result without what tells its schema.

    Raises:
        Undecodable: if nothing tells it.
    """
    value = result.value or b""
    return value if data is None else data.unframed(value, result.headers)
