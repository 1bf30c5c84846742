"""Results that are made of the bytes of both sides, which are not decoded: in JSON, MessagePack, Avro and Protobuf.

In all of them a result is ``{"click": …, "profile": … or nothing, "join_timestamp": seconds}``, and what an unmatched
click is written as ``{"click": …, "reason": "unmatched" or "expired"}``. In Avro a record of two records is their bytes
one after the other, a union has the number of the type before it, and the whole the fingerprint of its schema; in
Protobuf a message in a message has its length before it (``clicks.proto`` has the numbers of the fields).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

import msgspec

from streamapp.formats.avro import SINGLE_OBJECT, Avro
from streamapp.formats.protobuf import Protobuf
from streamapp.joins import Reason, Row
from streamapp.kafka.record import Result
from streamapp.pipelines.clicks import results as in_json
from streamapp.pipelines.clicks.result_schemas import ResultSchemas
from streamapp.runtime.decoding import Keyed

__all__ = [
    "AvroSplicing",
    "JsonSplicing",
    "MessagePackSplicing",
    "ProtobufSplicing",
    "Splicing",
    "Translating",
]

Matched = Iterable[tuple[Keyed, Row | None]]

_pack: Final = msgspec.msgpack.Encoder().encode


class Splicing(Protocol):
    """Puts the bytes of clicks and profiles, each in the format of the results, into results."""

    def joined(self, matched: Matched, now: float) -> list[Result]:
        """Return the results of clicks and the rows of their profiles; `now` is the time of the join (s since 1970)."""
        ...

    def unmatched(self, click: Keyed, reason: Reason) -> bytes:
        """Return what is written of a click that is not matched."""
        ...

    def is_of(self, value: bytes, click: bytes) -> bool:
        """Tell whether a value may be made of a click: whether it begins as what is made of that does."""
        ...


class JsonSplicing:
    """In JSON."""

    def joined(self, matched: Matched, now: float) -> list[Result]:
        """Return the results of clicks and the rows of their profiles."""
        return in_json.joined(matched, now)

    def unmatched(self, click: Keyed, reason: Reason) -> bytes:
        """Return what is written of a click that is not matched."""
        return in_json.unmatched(click.value, reason)

    def is_of(self, value: bytes, click: bytes) -> bool:
        """Tell whether a value may be made of a click."""
        return value.startswith(b'{"click":%b,' % click)


class MessagePackSplicing:
    """In MessagePack."""

    _JOINED: Final = b"\x83" + _pack("click")
    _UNMATCHED: Final = b"\x82" + _pack("click")
    _PROFILE: Final = _pack("profile")
    _REASON: Final = _pack("reason")
    _NIL: Final = _pack(None)

    def joined(self, matched: Matched, now: float) -> list[Result]:
        """Return the results of clicks and the rows of their profiles."""
        begin, profile, end = self._JOINED, self._PROFILE, _pack("join_timestamp") + _pack(now)
        nothing = self._NIL
        return [
            (click, b"".join((begin, click.value, profile, nothing if row is None else row.value, end)))
            for click, row in matched
        ]

    def unmatched(self, click: Keyed, reason: Reason) -> bytes:
        """Return what is written of a click that is not matched."""
        return b"".join((self._UNMATCHED, click.value, self._REASON, _pack(reason.value)))

    def is_of(self, value: bytes, click: bytes) -> bool:
        """Tell whether a value may be made of a click: before it, how many fields there are, and its name."""
        return value.startswith((self._JOINED + click, self._UNMATCHED + click))


class AvroSplicing:
    """In Avro: a record of a click, a union of null and a profile, and a double, in the single-object encoding.

    Args:
        results: their schemas, whose fingerprints stand before them; None = they are bare.
        clicks: the format of clicks; None = they are bare.
        rows: the format of the rows of profiles, which are in the single-object encoding: so they can be read after a
            change of the schema, too. None = they are bare.
    """

    _NULL: Final = b"\x00"
    _PROFILE: Final = b"\x02"

    def __init__(
        self, results: ResultSchemas | None = None, clicks: Avro | None = None, rows: Avro | None = None
    ) -> None:
        self._joined = b"" if results is None else _prefix(results.joined)
        self._unmatched = b"" if results is None else _prefix(results.unmatched)
        self._bare = _same if clicks is None else clicks.bare
        self._frame = b"" if rows is None else rows.prefix
        self._bare_row = _same if rows is None else rows.bare

    def joined(self, matched: Matched, now: float) -> list[Result]:
        """Return the results of clicks and the rows of their profiles."""
        begin, tag, end = self._joined, self._PROFILE, struct.pack("<d", now)
        nothing, frame, first = self._NULL + end, self._frame, SINGLE_OBJECT[0]
        made: list[Result] = []
        for click, row in matched:
            value = click.value
            if value[0] == first:  # no click is empty, and to compare a byte costs less than `startswith`
                value = self._bare(value)
            if row is None:
                made.append((click, begin + value + nothing))
                continue
            framed = row.value
            profile = framed.removeprefix(frame)
            if profile is framed:
                profile = self._bare_row(framed)
            made.append((click, b"".join((begin, value, tag, profile, end))))
        return made

    def unmatched(self, click: Keyed, reason: Reason) -> bytes:
        """Return what is written of a click that is not matched."""
        return b"%b%b%c%b" % (self._unmatched, self._bare(click.value), 2 * len(reason), reason.encode())

    def is_of(self, value: bytes, click: bytes) -> bool:
        """Tell whether a value may be made of a click, which is bare."""
        return value.startswith((self._joined + click, self._unmatched + click))


class ProtobufSplicing:
    """In Protobuf: a message of two messages and a double.

    Args:
        frame: what stands before the rows of profiles.
    """

    _CLICK: Final = b"\x0a"
    _PROFILE: Final = b"\x12"
    _TIMESTAMP: Final = b"\x19"
    _REASON: Final = b"\x12"

    def __init__(self, frame: bytes = b"") -> None:
        self._start = len(frame)
        #: What is before a click, and a profile, of so many bytes.
        self._clicks = _Lengths(self._CLICK)
        self._profiles = _Lengths(self._PROFILE)

    def joined(self, matched: Matched, now: float) -> list[Result]:
        """Return the results of clicks and the rows of their profiles."""
        clicks, profiles, start = self._clicks, self._profiles, self._start
        end = self._TIMESTAMP + struct.pack("<d", now)
        return [
            (
                click,
                b"".join((clicks[len(value := click.value)], value, end))
                if row is None
                else b"".join(
                    (clicks[len(value := click.value)], value, profiles[len(row.value) - start], row.value[start:], end)
                ),
            )
            for click, row in matched
        ]

    def unmatched(self, click: Keyed, reason: Reason) -> bytes:
        """Return what is written of a click that is not matched."""
        value = click.value
        return b"".join((self._clicks[len(value)], value, self._REASON, bytes([len(reason)]), reason.encode()))

    def is_of(self, value: bytes, click: bytes) -> bool:
        """Tell whether a value may be made of a click."""
        return value.startswith(self._clicks[len(click)] + click)


class Part(msgspec.Struct, frozen=True, gc=False):
    """A side in the format of the results."""

    value: bytes


class Translating:
    """In the format of another splicing, of sides that are not.

    Args:
        into: puts them together.
        click: makes of a click its part of a result; raises `Undecodable` if that has no place for it.
        profile: makes that of the row of a profile.
    """

    def __init__(self, into: Splicing, click: Callable[[Keyed], bytes], profile: Callable[[bytes], bytes]) -> None:
        self._into = into
        self._click = click
        self._profile = profile

    def joined(self, matched: Matched, now: float) -> list[Result]:
        """Return the results of clicks and the rows of their profiles."""
        pairs = list(matched)
        parts: Any = [
            (Part(self._click(click)), None if row is None else Part(self._profile(row.value))) for click, row in pairs
        ]
        made = self._into.joined(parts, now)
        return [(click, value) for (click, _), (_, value) in zip(pairs, made, strict=True)]

    def unmatched(self, click: Keyed, reason: Reason) -> bytes:
        """Return what is written of a click that is not matched."""
        part: Any = Part(self._click(click))
        return self._into.unmatched(part, reason)

    def is_of(self, value: bytes, click: bytes) -> bool:
        """Tell whether a value may be made of a click, of which this is the part."""
        return self._into.is_of(value, click)


def _prefix(format_: Avro | Protobuf) -> bytes:
    return format_.prefix if isinstance(format_, Avro) else b""


def _same(value: bytes) -> bytes:
    return value


class _Lengths(dict[int, bytes]):
    """Tags with lengths, by the length: made once each, as there are as many as values have sizes."""

    #: Values that are longer are few.
    LONGEST: Final = 1 << 16

    def __init__(self, tag: bytes) -> None:
        super().__init__()
        self._tag = tag

    def __missing__(self, length: int) -> bytes:
        made, left = bytearray(self._tag), length
        while left > 127:
            made.append(left & 127 | 128)
            left >>= 7
        made.append(left)
        if length <= self.LONGEST:
            self[length] = bytes(made)
        return bytes(made)
