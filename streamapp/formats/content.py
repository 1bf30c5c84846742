"""What a record's value is, by its headers: JSON, a CloudEvent around it, or something that is not read here.

A CloudEvent in binary mode (``ce_…`` headers) has its data for the value, like any record; in structured mode the
value is the event as JSON, and the data is a part of it (CloudEvents 1.0, Kafka protocol binding).
"""

from __future__ import annotations

import base64
import binascii
import enum
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final

import msgspec

from streamapp.formats.undecodable import Reason, Undecodable
from streamapp.formats.wire_format import KEY_HEADER, VALUE_HEADER
from streamapp.joins import Record

__all__ = [
    "Content",
    "are_of_another",
    "content_of",
    "content_type",
    "event_data",
    "headers_of_result",
    "json_of",
    "plain",
    "refusal",
    "tells_format",
]

CONTENT_TYPE: Final = "content-type"
#: Of the formats, by their names.
MEDIA_TYPES: Final[Mapping[str, bytes]] = {
    "json": b"application/json",
    "avro": b"application/avro",
    "protobuf": b"application/protobuf",
    "msgpack": b"application/vnd.msgpack",
    "raw": b"application/octet-stream",
}
#: Headers with the id of a schema.
SCHEMA_HEADERS: Final = frozenset({KEY_HEADER, VALUE_HEADER})
#: Media types of JSON besides those that end in ``+json`` (RFC 6839).
JSON_TYPES: Final = frozenset({b"application/json", b"text/json", b"json"})
STRUCTURED: Final = b"application/cloudevents+json"
#: As `STRUCTURED`, and no record of its own.
BATCHED: Final = b"application/cloudevents-batch"


class Content(enum.Enum):
    """What the value of a record is."""

    #: JSON, or nothing is said of it.
    JSON = enum.auto()
    #: A CloudEvent in structured mode.
    EVENT = enum.auto()
    #: Not to be read here.
    OTHER = enum.auto()


class _Event(msgspec.Struct, gc=False):
    data: msgspec.Raw = msgspec.Raw(b"null")
    data_base64: str | None = None
    datacontenttype: str | None = None


_decode: Final = msgspec.json.Decoder(_Event).decode


def content_type(headers: Iterable[tuple[str, bytes | None]]) -> bytes | None:
    """Return what a record's last ``content-type`` header says; None = there is none, or it is null or empty."""
    found = None
    for name, content in headers:
        if content and name.lower() == CONTENT_TYPE:
            found = content
    return found


@lru_cache(maxsize=1024)
def content_of(media_type: bytes | None) -> Content:
    """Return what a value of a media type is; parameters and letter case make no difference."""
    if media_type is None:
        return Content.JSON
    name = media_type.split(b";")[0].strip().lower()
    if name == STRUCTURED:
        return Content.EVENT
    if name.startswith(BATCHED):
        return Content.OTHER
    return Content.JSON if not name or name in JSON_TYPES or name.endswith(b"+json") else Content.OTHER


def plain(records: Sequence[Record]) -> bool:
    """Return whether the values of all records are JSON, as far as their headers say: as a rule these have no say."""
    headers = [found for record in records if (found := getattr(record, "headers", None))]
    if all(name.lower() != CONTENT_TYPE for name in {name for found in headers for name, _ in found}):
        return True
    return all(content_of(content_type(found)) is Content.JSON for found in headers)


def json_of(record: Record) -> bytes:
    """Return the JSON that a record's value should be, or has in it if it is a CloudEvent in structured mode.

    Raises:
        Undecodable: for an event without JSON in it.
        msgspec.DecodeError: for one that is none.
        UnicodeDecodeError: if it is not UTF-8: msgspec skips over strings without a look at their bytes.
    """
    value = record.value or b""
    if not value.isascii():
        value.decode()
    headers = getattr(record, "headers", ())  # a record that a join kept for a time has none any more
    return event_data(value) if headers and content_of(content_type(headers)) is Content.EVENT else value


def headers_of_result(
    headers: Iterable[tuple[str, bytes]], format_: str = "json", *, key: bool = False
) -> list[tuple[str, bytes]]:
    """Return a record's headers for what is made of it, which is of another format, or of another schema.

    Its ``content-type`` tells what that is; the id of a schema, as Confluent's serializers have it, is gone.

    Args:
        headers: of the record.
        format_: the name of the format of what is made of it.
        key: whether its key is another one, too.
    """
    gone = SCHEMA_HEADERS if key else {VALUE_HEADER}
    media_type = MEDIA_TYPES.get(format_, MEDIA_TYPES["raw"])
    return [
        (name, media_type if name.lower() == CONTENT_TYPE else content) for name, content in headers if name not in gone
    ]


def are_of_another(headers: Sequence[tuple[str, bytes]]) -> bool:
    """Tell whether a record's headers are wrong of JSON that is made of its own: of an event, or of another schema."""
    return content_of(content_type(headers)) is Content.EVENT or any(name == VALUE_HEADER for name, _ in headers)


def tells_format(header: str) -> bool:
    """Tell whether a header says what the bytes of a record are, which is wrong of what is made of it."""
    return header.lower() == CONTENT_TYPE or header in SCHEMA_HEADERS


def refusal(media_type: bytes | None) -> Undecodable:
    """Return the error for a value of a media type that is not read here."""
    if media_type is not None and media_type.strip().lower().startswith(BATCHED):
        error = f"the content-type {media_type!r} is a batch of CloudEvents: send each as a record"
    else:
        error = f"the content-type {media_type!r} is not JSON (application/json, text/json or …+json)"
    return Undecodable(Reason.UNKNOWN_CODEC, error)


def event_data(event: bytes) -> bytes:
    """Return the data of a CloudEvent in structured mode, as JSON.

    Raises:
        Undecodable: if it has none, or none that is JSON by its ``datacontenttype``.
        msgspec.DecodeError: if it is no event.
    """
    found = _decode(event)
    if found.datacontenttype and content_of(found.datacontenttype.encode()) is not Content.JSON:
        raise Undecodable(
            Reason.UNKNOWN_CODEC, f"the CloudEvent's datacontenttype {found.datacontenttype!r} is not JSON"
        )
    data = bytes(found.data)
    if data != b"null":
        return data
    if found.data_base64 is None:
        raise Undecodable(Reason.MISSING_FIELD, "the CloudEvent has neither data nor data_base64")
    try:
        return base64.b64decode(found.data_base64, validate=True)
    except binascii.Error as exc:
        raise Undecodable(Reason.NOT_JSON, f"the CloudEvent's data_base64 is not base64: {exc}") from None
