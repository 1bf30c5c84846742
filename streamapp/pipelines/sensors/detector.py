"""Anomalies of devices by their readings: the operator that runs on each partition."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final, Protocol, Self

import numpy as np

from streamapp.joins import Batch, Explanation, Output, Reason, Record, Refused, State, Verdict
from streamapp.joins.clock import BEGINNING
from streamapp.joins.declared import Declared, Described, StateMismatch, changes, earlier
from streamapp.joins.explanation import unusable
from streamapp.joins.ledger import Accounting
from streamapp.pipelines.sensors.anomaly import Anomaly, found_in, silence_of
from streamapp.pipelines.sensors.arrays import Floats, Integers
from streamapp.pipelines.sensors.devices import Devices
from streamapp.pipelines.sensors.kernel import COUNT, LATE, MEAN, SEASON_LEARNED, SILENT, TIME, VAR
from streamapp.pipelines.sensors.limits import Limits
from streamapp.pipelines.sensors.values import value_of

__all__ = ["Detector", "DetectorOperator", "Judging"]

#: How often in its time it is looked for devices that are to be forgotten.
SWEEPS: Final = 10


class Judging(Protocol):
    """Judges the readings of a batch, and learns from them: the three versions of `Engine`, or one of your own."""

    def __call__(
        self,
        devices: Floats,
        seasons: Floats,
        slots: Integers,
        times: Floats,
        values: Floats,
        clock: float,
        limits: Floats,
    ) -> tuple[Integers, Floats]:
        """Return the bits of what was found in each reading, and the evidence (`kernel.judge`)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Detector(Described):
    """Finds anomalies in the readings of a stream, which is source 0: JSON objects by the key of their device.

    Args:
        engine: what judges them.
        limits: by what.
        forget: how long (ms of event time) after its last reading a device is forgotten.

    Raises:
        ValueError: if devices are forgotten before they are silent.
    """

    engine: Judging
    limits: Limits = dataclasses.field(default_factory=Limits)
    forget: int = 7 * 86_400_000

    def __post_init__(self) -> None:
        if self.forget <= max(self.limits.silence, self.limits.period):
            raise ValueError(f"devices cannot be forgotten after {self.forget} ms: they may only be silent")

    @property
    def period(self) -> int:
        """The length (ms) of the season."""
        return self.limits.period

    @property
    def bins(self) -> str:
        """The parts of the season, for a declaration."""
        return str(self.limits.bins)

    def start(self, state: State) -> DetectorOperator:
        """Begin, or go on, with what the state holds."""
        return DetectorOperator(self, state)

    def declared(self) -> Declared:
        """Return what is kept with the state of what is declared: what its rows are laid out by."""
        return Declared.of("a detector of anomalies", self, "period", "bins")

    def written_by(self, declared: Declared) -> Self:
        """Return the detector that wrote a state, or raise a StateMismatch."""
        match dict(declared.settings):
            case {"period": int(period), "bins": str(bins)}:
                limits = dataclasses.replace(self.limits, period=period, bins=int(bins))
                return dataclasses.replace(self, limits=limits)
        raise StateMismatch(f"it is that of {declared}, which this version of streamapp does not know")

    def take_over(self, was: Self) -> list[str]:
        """Return what may be missing in the results after the state of another detector is taken over."""
        return [f"{changes(was, self, 'period', 'bins')}: seasons are learned anew"]


class DetectorOperator(Accounting[Anomaly]):
    """A detector at work on one partition; all readings count in its balance, matched are those that were judged.

    What a device has shown is kept as a row of the state, which is written once a batch: the same readings give the
    same anomalies however they are cut into batches.
    """

    def __init__(self, join: Detector, state: State) -> None:
        self.join = join
        was, _ = earlier(state, join)
        super().__init__(state)
        self._limits = join.limits.packed
        anew = (was.period, was.bins) != (join.period, join.bins)
        self._devices = Devices(state, join.limits.bins, anew=anew)
        if self._ledger.set_back:
            self._devices.forget(-np.inf, self.clock.wall.limit)
        self._swept = self._sweep

    @property
    def waits(self) -> bool:
        """Whether a device may come to be silent."""
        return self.join.limits.silence > 0 and self._devices.heard

    def process(self, batch: Batch) -> Output[Anomaly]:
        """Judge readings; the state then has all changes to be committed."""
        slots, times, values, records = self._usable(batch)
        touched = learned = np.empty(0, np.int64)
        if records:
            places, clock = np.array(slots, np.int64), float(self.clock.time)
            devices, when = self._devices, np.array(times, np.float64)
            found, evidence = self.join.engine(
                devices.known, devices.seasons, places, when, np.array(values), clock, self._limits
            )
            self.balance.matched += len(records)
            for number in np.flatnonzero(found & ~SEASON_LEARNED).tolist():
                self._tell(records[number], values[number], int(found[number]), evidence[number].tolist())
            touched = np.unique(places[found != LATE])
            learned = np.unique(places[found & SEASON_LEARNED != 0])
            self.clock.advance(max(times))
        return self._close(touched, learned)

    def advance(self, to: int) -> Output[Anomaly]:
        """Move the clock on to an event time (ms), by which devices may be silent."""
        self.clock.advance(to)
        return self._close(np.empty(0, np.int64), np.empty(0, np.int64))

    def explain(self, source: int, record: Record) -> Explanation:
        """Say what became of a reading that was taken in, as far as the state tells."""
        if record.key is None or record.value is None:
            return unusable(record, self.clock, None)
        return Explanation(
            verdict=Verdict.OVER,
            clock=self.clock.now,
            grace=0,
            untold=Verdict.DECIDED,
            reasons=frozenset({Reason.LATE, Reason.REFUSED}),
            detail=f"nothing is wrong with it, or what is was told before; {self._known_of(record.key)}",
        )

    def _usable(self, batch: Batch) -> tuple[Sequence[int], Sequence[int], Sequence[float], Sequence[Record]]:
        """Return the readings that can be judged, by columns: slots, times (ms), values, and they themselves."""
        slots, times, values, records = list[int](), list[int](), list[float](), list[Record]()
        known, limit, received = self._devices.slots, self.clock.wall.limit, 0
        for source, record in batch:
            received += 1
            key, timestamp = record.key, record.timestamp
            try:
                value = value_of(record)
                _check(timestamp, limit)
            except Refused as refused:
                reason = Reason.NULL_VALUE if record.value is None else Reason.REFUSED
                self._ledger.rejected(self.balance, source, record, reason, refused if record.value else "")
                continue
            if key is None:
                self._ledger.rejected(self.balance, source, record, Reason.NULL_KEY)
                continue
            slot = known.get(key)
            slots.append(self._devices.add(key) if slot is None else slot)
            times.append(timestamp)
            values.append(value)
            records.append(record)
        self.balance.received += received
        return slots, times, values, records

    def _tell(self, record: Record, value: float, bits: int, evidence: Sequence[float]) -> None:
        """Tell what was found in a reading."""
        key, limits, results = record.key or b"", self.join.limits, self._ledger.results
        if bits & LATE:
            self.balance.matched -= 1
            self._ledger.late(self.balance, 0, record, int(evidence[TIME]) - record.timestamp)
            return
        if bits & SILENT:
            results.append(silence_of(key, evidence, limits))
        if bits := bits & ~(SILENT | SEASON_LEARNED):
            results.append(found_in(key, record.timestamp, value, record.offset, bits, evidence, limits))

    def _close(self, touched: Integers, learned: Integers) -> Output[Anomaly]:
        """Tell of the devices that are silent by now, and write what has changed."""
        devices, limits, now = self._devices, self.join.limits, self.clock.time
        if limits.silence > 0 and now > BEGINNING:
            silent = devices.silent(now - limits.silence)
            told = [silence_of(devices.keys[slot], devices.known[slot].tolist(), limits) for slot in silent.tolist()]
            self._ledger.results += sorted(told, key=lambda one: (one.timestamp, one.key))
            touched = np.union1d(touched, silent)
        devices.save(touched, learned)
        if self._swept != self._sweep:
            self._swept = self._sweep
            devices.forget(now - self.join.forget)
        return self._ledger.close()

    @property
    def _sweep(self) -> int:
        return self.clock.time // (self.join.forget // SWEEPS)

    def _known_of(self, key: bytes) -> str:
        slot = self._devices.slots.get(key)
        if slot is None:
            return "nothing is known of its device any more"
        known = self._devices.known[slot]
        return (
            f"its device has a mean of {known[MEAN]:g} now, and a deviation of {known[VAR] ** 0.5:g}, "
            f"of {known[COUNT]:,.0f} readings"
        )


def _check(timestamp: int, limit: int) -> None:
    """Refuse a reading whose device would be late for all others, if its time is wrong."""
    if timestamp > limit:
        raise Refused("its time is further ahead of the wall clock than may be", "invalid_timestamp")
