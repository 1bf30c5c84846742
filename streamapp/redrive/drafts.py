"""Drafts: letters that are mended, by expressions or in an editor, and the records that are sent of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeAlias

import msgspec

from streamapp.errors import StreamappError
from streamapp.formats.content import tells_format
from streamapp.kafka.record import Headers
from streamapp.mending import Draft, MendError, Mending
from streamapp.redrive.forms import Form, Formats, Opened, close_key, close_value, open_key, open_value
from streamapp.redrive.letters import Letter

__all__ = ["EditError", "FormatsOf", "Opening", "Outgoing", "edited", "line", "lines", "mended", "opened"]

#: What the values and keys of a topic are, by its name.
FormatsOf: TypeAlias = Callable[[str], Formats]
#: The members of a line that are only to be read.
TOLD: Final = frozenset({"letter", "from", "reason", "error"})
FORMS: Final = frozenset(form.value for form in Form)
KEY: Final = "key"
TIME: Final = "time"


class EditError(StreamappError):
    """Lines that cannot be sent as they were edited; the text is one line, which says where and why."""


@dataclasses.dataclass(frozen=True)
class Opening:
    """A letter with what its key and value are."""

    letter: Letter
    formats: Formats
    key: Any
    value: Opened

    @property
    def draft(self) -> Draft:
        """The record for expressions; a value that is not JSON has no fields."""
        content = self.value.content if self.value.form is Form.JSON else None
        return Draft(self.key, self.letter.timestamp, content)

    def changed(self, key: Any, time: int, value: Opened) -> Outgoing:
        """Return the record that is sent with another key, time (ms) or value; what stays the same keeps its bytes.

        Raises:
            MendError: if it cannot be.
        """
        letter, formats = self.letter, self.formats
        same = value == self.value
        data = letter.value if same else close_value(formats.value, value)
        own = letter.headers
        if not same and value.form is Form.JSON and formats.value is not None:
            own = [*(one for one in own if not tells_format(one[0])), *formats.value.headers]
        written = letter.key if key == self.key else close_key(formats.key, key)
        return Outgoing(letter, written, data, time, own)


@dataclasses.dataclass(frozen=True)
class Outgoing:
    """A record to be sent in place of a letter's."""

    letter: Letter
    key: bytes | None
    value: bytes | None
    timestamp: int
    own: Headers

    @property
    def headers(self) -> Headers:
        """The mark, and the record's own headers."""
        return [self.letter.next_mark.header(), *self.own]

    @property
    def is_mended(self) -> bool:
        """Whether it is another record than the letter's."""
        letter = self.letter
        return (self.key, self.value, self.timestamp) != (letter.key, letter.value, letter.timestamp)


def opened(letter: Letter, formats: Formats) -> Opening:
    """Return a letter as it can be mended."""
    key = open_key(formats.key, letter.key, letter.headers)
    return Opening(letter, formats, key, open_value(formats.value, letter.value, letter.headers))


def mended(opening: Opening, mending: Mending) -> Outgoing:
    """Return the record that is sent, once expressions have mended it.

    Raises:
        MendError: if it does not have what these need.
    """
    draft, before = opening.draft, opening.value
    if not mending:
        return opening.changed(opening.key, draft.time, before)
    after = mending(draft)
    same = before.form is not Form.JSON or after.value == draft.value
    return opening.changed(after.key, after.time, before if same else Opened(Form.JSON, after.value))


def lines(outgoing: Iterable[Outgoing], formats: FormatsOf) -> Iterable[bytes]:
    """Go through the lines to be edited: a JSON object for each record."""
    for one in outgoing:
        letter = one.letter
        told = {"letter": str(letter.place), "from": str(letter.source), "reason": letter.reason, "error": letter.error}
        yield msgspec.json.encode(told)[:-1] + b"," + line(one, formats)[1:]


def line(one: Outgoing, formats: FormatsOf) -> bytes:
    """Return a record as a JSON object: its event time (ms), key, and value, text or base64."""
    known = formats(one.letter.source.topic)
    value = open_value(known.value, one.value, one.own)
    key = open_key(known.key, one.key, one.own)
    return msgspec.json.encode({TIME: one.timestamp, KEY: key, value.form.value: value.content})


def edited(text: str, outgoing: Sequence[Outgoing], formats: FormatsOf) -> list[Outgoing]:
    """Read the lines again: a line that is gone leaves its letter where it is.

    Raises:
        EditError: for a line that is none of these, or whose record cannot be written.
    """
    left = {str(one.letter.place): one for one in outgoing}
    found: list[Outgoing] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            fields = msgspec.json.decode(line, type=dict[str, Any])
            found.append(_edited(fields, left, formats))
        except (msgspec.MsgspecError, MendError, RecursionError) as exc:
            raise EditError(f"line {number}: {exc}") from None
    return found


def _edited(fields: dict[str, Any], left: dict[str, Outgoing], formats: FormatsOf) -> Outgoing:
    place = fields.get("letter")
    one = left.pop(place, None) if isinstance(place, str) else None
    if one is None:
        raise MendError(f"letter {place!r} is none of those that were picked, or is there twice")
    if unknown := fields.keys() - TOLD - FORMS - {KEY, TIME}:
        raise MendError(f"there is no {min(unknown)} in a line, but {KEY}, {TIME} and {', '.join(sorted(FORMS))}")
    forms = FORMS & fields.keys()
    if len(forms) != 1:
        raise MendError(f"a record has one of {', '.join(sorted(FORMS))}, and this has {len(forms)}")
    form = Form(next(iter(forms)))
    content = fields[form.value]
    if form is not Form.JSON and not isinstance(content, str):
        raise MendError(f"{form.value} is a string")
    draft = Draft(fields.get(KEY), one.timestamp, None)
    if fields.get(TIME) != one.timestamp:
        draft = Mending(set_=[f"_time = {msgspec.json.encode(fields.get(TIME)).decode()}"])(draft)
    known = formats(one.letter.source.topic)
    before = dataclasses.replace(one.letter, key=one.key, value=one.value, timestamp=one.timestamp, headers=one.own)
    after = opened(before, known).changed(draft.key, draft.time, Opened(form, content))
    return dataclasses.replace(after, letter=one.letter)
