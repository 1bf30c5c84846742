"""What is known of the devices of a partition: arrays with a row for each, which are kept as rows of the state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from streamapp.joins import State
from streamapp.pipelines.sensors.arrays import Floats, Integers
from streamapp.pipelines.sensors.kernel import (
    BIN,
    BIN_COUNT,
    BIN_SUM,
    COLUMNS,
    GOING_ON,
    HEARD,
    RESIDUAL2,
    RESIDUALS,
    SILENT,
    TIME,
)

__all__ = ["Devices"]

#: Rows of an array at first; it is doubled when it is full.
ROWS: Final = 256
#: How floats are kept, whatever the machine.
FORM: Final = "<f8"


class Devices:
    """The devices, each with a slot: the number of its row.

    Args:
        state: of the partition.
        bins: parts of a season.
        anew: whether seasons are learned anew: those of the state are others.
    """

    def __init__(self, state: State, bins: int, *, anew: bool) -> None:
        self._rows, self._passes = state.section(b"devices/"), state.section(b"seasons/")
        #: By device its slot, and the other way round.
        self.slots: dict[bytes, int] = {}
        self.keys: list[bytes] = []
        #: What is known of each (`kernel`), and what is expected in each part of its season.
        self.known: Floats = np.empty((ROWS, COLUMNS))
        self.seasons: Floats = np.empty((ROWS, 2 * bins))
        for key, row in self._rows.scan():
            self.known[self.add(key)] = np.frombuffer(row, FORM)
        if anew:
            self._forget_seasons()
        else:
            for key, row in self._passes.scan():
                self.seasons[self.slots[key]] = np.frombuffer(row, FORM)

    def add(self, key: bytes) -> int:
        """Give a device a slot of which nothing is known."""
        slot = self.slots[key] = len(self.keys)
        self.keys.append(key)
        if slot == len(self.known):
            self.known = np.concatenate([self.known, np.empty_like(self.known)])
            self.seasons = np.concatenate([self.seasons, np.empty_like(self.seasons)])
        self.known[slot] = 0.0
        self.known[slot, TIME], self.known[slot, BIN] = -np.inf, -1.0
        self.seasons[slot] = 0.0
        return slot

    @property
    def heard(self) -> bool:
        """Whether there is a device of which it is not told that it is silent."""
        return bool(np.any(self.known[: len(self.keys), GOING_ON].astype(np.int64) & SILENT == 0))

    def silent(self, before: float) -> Integers:
        """Return the slots of the devices that were last heard before an event time (ms), and note that it is told."""
        known = self.known[: len(self.keys)]
        going_on = known[:, GOING_ON].astype(np.int64)
        slots = np.flatnonzero((known[:, HEARD] < before) & (going_on & SILENT == 0))
        known[slots, GOING_ON] = going_on[slots] | SILENT
        return slots

    def save(self, slots: Integers, learned: Integers) -> None:
        """Write the rows of the devices in these slots; of those that have learned the season, this too."""
        self._rows.update(self._packed(self.known, slots))
        self._passes.update(self._packed(self.seasons, learned))

    def forget(self, before: float, ahead: float = np.inf) -> None:
        """Forget the devices that were last heard before an event time (ms), or whose last reading is ahead of one."""
        known = self.known[: len(self.keys)]
        kept = (known[:, HEARD] >= before) & (known[:, TIME] <= ahead)
        if kept.all():
            return
        for slot in np.flatnonzero(~kept).tolist():
            self._rows.delete(self.keys[slot])
            self._passes.delete(self.keys[slot])
        slots = np.flatnonzero(kept)
        self.keys = [self.keys[slot] for slot in slots.tolist()]
        self.slots = {key: slot for slot, key in enumerate(self.keys)}
        self.known[: len(slots)], self.seasons[: len(slots)] = self.known[slots], self.seasons[slots]

    def _forget_seasons(self) -> None:
        self.known[:, BIN] = -1.0
        self.known[:, [BIN_SUM, BIN_COUNT, RESIDUAL2, RESIDUALS]] = 0.0
        self._rows.update(self._packed(self.known, np.arange(len(self.keys))))
        for key in [key for key, _ in self._passes.scan()]:
            self._passes.delete(key)

    def _packed(self, array: Floats, slots: Integers) -> dict[bytes, bytes]:
        """Return rows of an array as bytes, by device."""
        data, size = array[slots].astype(FORM, copy=False).tobytes(), array.shape[1] * array.itemsize
        keys: Sequence[bytes] = self.keys
        return {keys[slot]: data[n * size : (n + 1) * size] for n, slot in enumerate(slots.tolist())}
