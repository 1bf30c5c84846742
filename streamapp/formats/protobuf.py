"""Protobuf: messages of generated classes, or of a ``.proto`` file that is compiled at the start.

Fields that a reader's schema does not know are skipped, those that it knows and a message has not are their defaults,
and names are not written at all: that is how Protobuf's schemas change. Bytes of another message may be read, too;
those of which no field is known are refused.
"""

from __future__ import annotations

import dataclasses
import importlib
import os
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias, cast

import msgspec

from streamapp.errors import StreamappError
from streamapp.extras import Extra, require
from streamapp.formats.format import Headers
from streamapp.formats.protobuf_names import SUFFIX, WELL_KNOWN
from streamapp.formats.undecodable import Reason, Undecodable

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from streamapp.formats.protobuf_values import Convert

__all__ = ["MessageType", "Protobuf"]

#: A generated class, where it is (``module:Name``), or the ``.proto`` file that has it.
MessageType: TypeAlias = "type[Message] | str | os.PathLike[str]"

#: What is left of an error of protobuf's.
ERROR_CHARACTERS: Final = 200

_print: Final = msgspec.json.Encoder().encode
_parse: Final = msgspec.json.Decoder().decode


@dataclasses.dataclass(frozen=True)
class Protobuf:
    """Values in Protobuf.

    In JSON, fields have the names of the ``.proto``, whole numbers of 64 bits are numbers, bytes base64, enums their
    names, NaN and the infinities theirs, and well-known types what Protobuf's own JSON makes of them. An ``optional``
    field or a message that is not set is null, and no other field takes that; of a oneof there is what is set.

    Args:
        source: a generated class, ``module:Name`` of one, or a ``.proto`` file.
        message: the name of the message in a ``.proto`` file, as ``Order`` or ``shop.Order``; not needed if it has one.
        include: directories in which files that it imports are, besides its own.
    """

    source: MessageType
    message: str = ""
    include: tuple[str, ...] = ()

    name: ClassVar[str] = "protobuf"
    headers: ClassVar[Headers] = ()

    def bound(self, topic: str, *, key: bool = False) -> Protobuf:
        """Return this format: it is the same for all topics.

        Raises:
            StreamappError: if there is no such message, or the extra is not installed.
        """
        try:
            self.generated  # noqa: B018 - what is wrong is told now
        except StreamappError as exc:
            raise type(exc)(f"{topic}: {exc}") from None
        return self

    @cached_property
    def generated(self) -> type[Message]:
        """The class of the messages."""
        require(Extra.PROTOBUF)
        given = self.source
        if not isinstance(given, str | os.PathLike):
            return given
        if os.fspath(given).endswith(SUFFIX):
            from streamapp.formats.protobuf_file import compiled

            return compiled(Path(given), self.message, self.include)
        return _imported(os.fspath(given))

    @cached_property
    def _to_plain(self) -> Convert:
        from streamapp.formats.protobuf_values import to_plain

        return to_plain(cast(Any, self.generated.DESCRIPTOR))

    def parse(self, data: bytes) -> Message:
        """Return the message that bytes are.

        Raises:
            Undecodable: if they are none.
        """
        from google.protobuf.message import DecodeError

        message = self.generated()
        try:
            message.ParseFromString(data)
        except DecodeError as exc:
            raise self._undecodable(str(exc)) from None
        if data and not message.ListFields() and message.ByteSize():
            raise self._undecodable("none of its fields is known; it may be another message")
        if not message.IsInitialized():
            missing = ", ".join(cast(Any, message).FindInitializationErrors())
            raise self._undecodable(f"it has no {missing}")
        return message

    def to_json(self, data: bytes, headers: Iterable[tuple[str, bytes | None]] = ()) -> bytes:
        """Return the JSON of a message.

        Raises:
            Undecodable: if it is none.
        """
        message = self.parse(data)
        try:
            return _print(self._to_plain(message))
        except (ValueError, TypeError, RecursionError) as exc:  # of a well-known type, such as a time out of range
            raise self._undecodable(str(exc)) from None

    def _undecodable(self, error: str) -> Undecodable:
        name = self.generated.DESCRIPTOR.full_name
        return Undecodable(Reason.NOT_PROTOBUF, f"it is no message {name}: {error[:ERROR_CHARACTERS]}")

    def from_json(self, data: bytes) -> bytes:
        """Return the message for JSON.

        Raises:
            Undecodable: if it has no place for it; names the field.
        """
        from google.protobuf.json_format import ParseDict, ParseError
        from google.protobuf.message import EncodeError

        descriptor = self.generated.DESCRIPTOR
        plain = _parse(data)
        if not isinstance(plain, dict) and not descriptor.full_name.startswith(WELL_KNOWN):
            raise Undecodable(Reason.NOT_OF_SCHEMA, f"{descriptor.full_name}: it is no object")
        if b"null" in data:
            from streamapp.formats.protobuf_values import misplaced_null

            if where := misplaced_null(cast(Any, descriptor), plain):
                error = f"{descriptor.full_name}: {where} is null, for which only an optional field has a place"
                raise Undecodable(Reason.NOT_OF_SCHEMA, error)
        try:
            message = ParseDict(plain, self.generated(), descriptor_pool=cast(Any, descriptor.file.pool))
            return message.SerializeToString(deterministic=True)
        except (ParseError, EncodeError, ValueError, TypeError, AttributeError, RecursionError) as exc:
            text = " ".join(str(exc).split())[:ERROR_CHARACTERS]
            raise Undecodable(Reason.NOT_OF_SCHEMA, f"{descriptor.full_name}: {text}") from None


def _imported(name: str) -> type[Message]:
    """Return a generated class, by ``module:Name``."""
    from google.protobuf.message import Message
    from mode.utils.imports import cwd_in_path

    module, _, attribute = name.partition(":")
    try:
        with cwd_in_path():
            found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError, TypeError) as exc:
        raise StreamappError(f"the message {name} cannot be imported: {exc}") from None
    if not isinstance(found, type) or not issubclass(found, Message):
        raise StreamappError(f"{name} is no class that protoc has generated")
    return found
