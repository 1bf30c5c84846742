"""Tombstones of a topic that is not keyed by the field it is joined on: whom do they delete?

A record without a value has no field to go by, only its key. Often that is the field all the same, in another form: in
quotes, as an integer of four or eight bytes, in an object. Whether it is, the topic's records with a value tell, which
have both. As long as these agree on a form, a tombstone's key is read in it; otherwise nobody knows, and to guess could
delete somebody else's row.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final

from faust.types import TP

from streamapp.formats.key_forms import KeyForm, form_of, key_form, read_key
from streamapp.formats.undecodable import Reason, Undecodable
from streamapp.kafka.log_reader import Log, LogError
from streamapp.kafka.partitioners import NEWEST, SAMPLE_S
from streamapp.settings import Settings

__all__ = ["Tombstones"]

#: Records with a value whose keys must agree: the last ones that were looked at.
LOOKED_AT: Final = 100
#: Of further records only one in so many is looked at.
EVERY: Final = 50


class Tombstones:
    """Reads the keys of the tombstones of a topic, by its full name, whose records are joined on a field."""

    def __init__(self, settings: Settings, topic: str, field: str) -> None:
        self._settings = settings
        self._topic = topic
        self._field = field
        #: The forms of the last keys.
        self._seen: deque[KeyForm] = deque(maxlen=LOOKED_AT)
        self._count = 0
        self._asked = False

    def learn(self, key: bytes | None, field: bytes | None) -> None:
        """Take note of the key of a record whose field is this."""
        self._count += 1
        if key is not None and field is not None and (len(self._seen) < LOOKED_AT or self._count % EVERY == 0):
            self._seen.append(form_of(key, field, self._field))

    async def key(self, key: bytes | None) -> bytes:
        """Return the field that the key of a tombstone stands for; an Undecodable if it is not known."""
        if key is None:
            raise Undecodable(Reason.NULL_KEY, "the record has neither a key nor a value")
        if not self._seen and not self._asked:  # after a restart a tombstone may be the first record to come
            self._asked = True
            self._seen.extend(await asyncio.to_thread(self._look))
        forms = sorted(set(self._seen))
        if len(forms) == 1 and (found := read_key(key, forms[0], self._field)) is not None:
            return found
        raise Undecodable(
            Reason.TOMBSTONE,
            f"it has no value, and its key {key!r} does not tell the {self._field}: {self._why(forms)}",
        )

    def _why(self, forms: Sequence[KeyForm]) -> str:
        if not forms:
            return "no record with a key and a value has shown how the keys of this topic stand for it"
        if len(forms) == 1:
            return f"the form of the other keys is {forms[0]}"
        return f"the other keys are of several forms, {', '.join(forms)}"

    def _look(self) -> list[KeyForm]:
        try:
            with Log(self._settings, SAMPLE_S) as log:
                tps = [TP(self._topic, number) for number in range(log.partitions(self._topic))]
                records = [(one.key(), one.value()) for one in log.newest(tps, NEWEST)]
        except LogError:
            return []
        forms = [key_form(key, value, self._field).form for key, value in records if None not in (key, value)]
        return forms[-LOOKED_AT:]
