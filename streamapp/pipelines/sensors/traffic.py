"""Generated readings, with anomalies that are planted in them: the same seed gives the same records.

A reading that is planted says so, in a field of its own that nothing in the pipeline looks at: ``"planted":
"stuck-7"`` is of the seventh case. Of a device that was silent the first reading after that says it. So whoever reads
the topic can tell how much was found.
"""

from __future__ import annotations

import enum
import itertools
import math
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import click
import msgspec

from streamapp.errors import ProduceError
from streamapp.pipelines.sensors.planted import NOISE, SWING, Case, Device, Planted
from streamapp.pipelines.sensors.settings import READINGS
from streamapp.produce.traffic import BAD_SHARE, ENDLESS, LATE_SHARE, LATENESS_MS, SEED, Record, share

__all__ = ["BAD", "OPTIONS", "Generated", "Kind", "Traffic"]

#: How often (ms) a device sends, in a backlog.
INTERVAL_MS: Final = 50
KINDS: Final = tuple(Planted)


class Kind(enum.StrEnum):
    """What a generated reading is, if it is no planted one; the bad ones are those that cannot be used."""

    READING = "reading"
    LATE = "late"
    NAN = "nan"
    INFINITE = "infinite"
    NOT_JSON = "not_json"
    NO_NUMBER = "no_number"
    MISSING_FIELD = "missing_field"
    NULL_KEY = "null_key"
    TOMBSTONE = "tombstone"


#: The kinds from `NAN` on.
BAD: Final = tuple(Kind)[2:]


class Generated(msgspec.Struct, frozen=True, kw_only=True):
    """What the records were, of those that were sent: `planted`, `late` and `bad` are parts of the `readings`."""

    readings: int
    planted: int
    late: int
    bad: int
    planted_by_kind: dict[str, int]
    bad_by_kind: dict[str, int]

    def __str__(self) -> str:
        return f"{self.readings:,} readings ({self.planted:,} planted, {self.late:,} late, {self.bad:,} bad)"


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """What to generate: readings of devices, which send in turn.

    `readings` counts all records, unless they are `endless`. A share is the part of the readings that is in planted
    cases, late or bad. `season` is the length (s) of the season that the values have. `burst` times as many come from
    `burst_after` on for `burst_for` (s), if they are live.

    Raises:
        ValueError: if the shares are more than all.
    """

    devices: int = 2_000
    readings: int = 100_000
    endless: bool = False
    seed: int = 0
    season: float = 60.0
    planted_share: float = 0.01
    late_share: float = 0.0
    bad_share: float = 0.0
    burst: float = 1.0
    burst_after: float = 30.0
    burst_for: float = 30.0

    def __post_init__(self) -> None:
        if self.planted_share + self.late_share + self.bad_share > 1:
            raise ValueError("the late, bad and planted shares must not exceed 1 together")

    @property
    def topics(self) -> Sequence[str]:
        """The topics that it goes to, without the prefix."""
        return (READINGS,)

    @property
    def total(self) -> int | None:
        """How many records there are; None = it is without end."""
        return None if self.endless else self.readings

    def due(self, number: int, rate: float) -> float:
        """Return when a record is due, in seconds after the first, at a rate (a second) that rises in a burst."""
        before = self.burst_after * rate
        if self.burst == 1 or number <= before:
            return number / rate
        meanwhile = self.burst * rate * self.burst_for
        if number <= before + meanwhile:
            return self.burst_after + (number - before) / (self.burst * rate)
        return self.burst_after + self.burst_for + (number - before - meanwhile) / rate

    def records(self, rate: float, now: int) -> Iterator[Record]:
        """Generate the records, live at a rate (a second) or, with 0, as a backlog up to `now` (ms).

        In a backlog each device sends every 50 ms.
        """
        if rate:
            return self._generated((now + int(1_000 * self.due(n, rate)) for n in itertools.count()), 1_000 / rate)
        if self.total is None:
            raise ProduceError("readings without end need a rate (--rate)")
        step = INTERVAL_MS / self.devices
        start = now - self.total * step
        return self._generated((int(start + n * step) for n in range(self.total + 1)), step)

    def _generated(self, times: Iterator[int], step: float) -> Iterator[Record]:
        rng = random.Random(self.seed)  # noqa: S311 - reproducible, not secret
        devices = [Device(number, rng) for number in range(self.devices)]
        interval = step * self.devices
        for device in devices:
            device.next_case(rng, self.planted_share, interval)
        turns, cases = itertools.cycle(devices), itertools.count()
        numbers = itertools.count() if self.endless else range(self.readings)
        for _, time in zip(numbers, times, strict=False):
            while (record := self._turn(rng, next(turns), time, interval, cases)) is None:
                continue
            yield record

    def _turn(
        self, rng: random.Random, device: Device, time: int, interval: float, cases: Iterator[int]
    ) -> Record | None:
        """Return the reading of a device; None = it is silent."""
        noise = NOISE * rng.gauss(0, 1)
        angle = (time / 1_000 / self.season + device.phase) % 1.0
        value = device.level + SWING * NOISE * math.sin(2 * math.pi * angle) + noise
        planted, case = "", device.case
        if case is not None and case.over(time):
            if case.kind is Planted.SILENT:
                planted = case.label
            device.case = case = None
            device.next_case(rng, self.planted_share, interval)
        if case is None:
            device.until -= 1
            if device.until == 0:
                kind = KINDS[int(rng.random() * len(KINDS))]
                case = device.case = Case(kind, next(cases), time, rng.choice((-1, 1)), device.shown)
        if case is not None:
            if case.kind is Planted.SILENT:
                return None
            value, planted = case.spoil(value, noise, time), case.label
        device.shown = value = round(value, 3)
        if planted:
            return _record(device.name, value, time, planted.partition("-")[0], planted)
        draw = rng.random()
        if draw < self.bad_share:
            return _bad(rng.choice(BAD), device.name, value, time)
        if draw < self.bad_share + self.late_share:
            return _record(device.name, value, max(1, time - rng.randint(*LATENESS_MS)), Kind.LATE)
        return _record(device.name, value, time, Kind.READING)

    def summary(self, kinds: Mapping[str, int]) -> Generated:
        """Sum up what was sent."""
        counts = Counter(kinds)
        bad = {kind.value: counts[kind] for kind in BAD if counts[kind]}
        planted = {kind.value: counts[kind] for kind in Planted if counts[kind]}
        return Generated(
            readings=counts.total(),
            planted=sum(planted.values()),
            late=counts[Kind.LATE],
            bad=sum(bad.values()),
            planted_by_kind=planted,
            bad_by_kind=bad,
        )


def _record(device: str, value: float | str, time: int, kind: str, planted: str = "") -> Record:
    label = f',"planted":"{planted}"' if planted else ""
    text = f'{{"device":"{device}","value":{value},"time":{time}{label}}}'
    return Record(READINGS, kind, device.encode(), text.encode(), time)


def _bad(kind: Kind, device: str, value: float, time: int) -> Record:
    values = {Kind.NAN: "NaN", Kind.INFINITE: "1e999", Kind.NO_NUMBER: '"warm"'}
    record = _record(device, values.get(kind, str(value)), time, kind)
    match kind:
        case Kind.NOT_JSON:
            return msgspec.structs.replace(record, value=(record.value or b"")[:-1])
        case Kind.MISSING_FIELD:
            return msgspec.structs.replace(record, value=f'{{"device":"{device}","time":{time}}}'.encode())
        case Kind.NULL_KEY:
            return msgspec.structs.replace(record, key=None)
        case Kind.TOMBSTONE:
            return msgspec.structs.replace(record, value=None)
    return record


#: The options of `streamapp produce` that make it.
OPTIONS: Final = (
    click.Option(["--devices"], type=click.IntRange(min=1), default=2_000, help="Devices [2,000]."),
    click.Option(["--readings"], type=click.IntRange(min=0), default=100_000, help="Readings [100,000]."),
    ENDLESS,
    SEED,
    click.Option(["--season"], type=click.FloatRange(min=0.1), default=60.0, help="Seconds of a season [60]."),
    share("--planted-share", "Part of the readings in planted anomalies [0.01].", default=0.01),
    LATE_SHARE,
    BAD_SHARE,
    click.Option(["--burst"], type=click.FloatRange(min=1), default=1.0, help="So many times as many in a burst."),
    click.Option(["--burst-after"], type=click.FloatRange(min=0), default=30.0, help="Seconds before it [30]."),
    click.Option(["--burst-for"], type=click.FloatRange(min=0), default=30.0, help="Seconds that it lasts [30]."),
)
