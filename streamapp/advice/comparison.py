"""What is told of a trial, as it is printed in JSON; times and durations are in ms."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from streamapp.advice.costs import reach
from streamapp.advice.reasons import Reason
from streamapp.advice.results import What
from streamapp.advice.stretch import EMPTY, Asked, Part, Reader, StretchError
from streamapp.advice.subject import Subject
from streamapp.advice.taking import Taking
from streamapp.advice.trial import Became, Moved, Outcome, Trial
from streamapp.joins import Join, Wall
from streamapp.measures.differences import Change, Kind
from streamapp.measures.lateness import Place
from streamapp.windows.counted import CountWindows
from streamapp.windows.sessions import Sessions

__all__ = ["Comparison", "RunTold", "tried"]

#: Characters of what a result says that are shown.
SHOWN: Final = 120


class PartTold(msgspec.Struct, frozen=True):
    """Which records of a partition were read: those of the stretch are from `start` to `end`."""

    topic: str
    partition: int
    begin: int
    start: int
    end: int


class RunTold(msgspec.Struct, frozen=True):
    """What a declaration gave for the stretch."""

    declared: str
    #: Records by what became of them.
    records: dict[str, int]
    results: int
    #: The most that its state held: rows as they are stored, several records to one, perhaps; and their bytes.
    state_rows: int
    state_bytes: int


class Sample(msgspec.Struct, frozen=True, omit_defaults=True):
    """A record of which something else became."""

    topic: str
    partition: int
    offset: int
    a_late_by_ms: int = 0
    b_late_by_ms: int = 0


class MovedTold(msgspec.Struct, frozen=True):
    """Records of which something else became."""

    a: str
    b: str
    records: int
    samples: list[Sample]


class ResultTold(msgspec.Struct, frozen=True):
    """A result that differs: of which records (those that are missing are null), or of which window."""

    key: str | None
    records: list[str | None]
    start: int | None
    end: int | None
    #: What A and B say; nothing = it is not there.
    a: list[str]
    b: list[str]


class Comparison(msgspec.Struct, frozen=True):
    """A trial."""

    join: str
    a: RunTold
    b: RunTold
    #: Records of which something else became.
    moved: list[MovedTold]
    #: Results by kind: same, changed, only_a, only_b; and some of those that differ.
    results: dict[str, int]
    samples: dict[str, list[ResultTold]]
    #: Records of the stretch that are not taken in, the same in both.
    refused: list[Reason]
    #: Those without an event time.
    bad: list[Reason]
    stretch: list[PartTold]
    #: Records that were read, also from before the stretch.
    records: int
    seconds: float
    records_per_s: int
    notes: list[str]


def tried(subject: Subject, other: Join[Any], reader: Reader, asked: Asked, wall: Wall, *, arrival: bool) -> Comparison:
    """Run a join and another declaration of it over a stretch of its topics, and compare them.

    Args:
        subject: the join as it is.
        other: the same one with other settings.
        reader: reads the topics.
        asked: which stretch.
        wall: the wall clock (`wall_at`).
        arrival: whether it is known when records came, since their event time is a field.

    Raises:
        StretchError: if there is no such stretch, or no record in it.
    """
    a, b = subject.join, other
    assert a is not None  # noqa: S101 - topics alone are not tried
    taking = Taking.of(subject, reader, asked, wall, max(reach(a), reach(b)), arrival=arrival)
    trial = Trial(taking, asked, a, b)
    trial.run()
    if not trial.taken:
        raise StretchError(EMPTY)
    return compared(trial, a, b)


def compared(trial: Trial, a: Join[Any], b: Join[Any]) -> Comparison:
    """Return what came of a trial."""
    outcomes = [RunTold(_declared(join), *_outcome(one)) for join, one in zip((a, b), trial.outcomes(), strict=True)]
    difference = trial.compared()
    taking = trial.taking
    parts = [_part(topic, part) for topic, parts in taking.parts.items() for part in parts]
    return Comparison(
        join=taking.subject.name,
        a=outcomes[0],
        b=outcomes[1],
        moved=list(map(_moved, trial.moved())),
        results={kind.value: difference.counts[kind] for kind in Kind},
        samples={kind.value: list(map(_result, changes)) for kind, changes in difference.samples.items()},
        refused=trial.refused.told(),
        bad=trial.bad.told(),
        stretch=parts,
        records=trial.read,
        seconds=round(trial.seconds, 3),
        records_per_s=round(trial.read / trial.seconds) if trial.seconds else 0,
        notes=notes(taking, a, b),
    )


def notes(taking: Taking, a: Join[Any], b: Join[Any]) -> list[str]:
    """Return what has to be known to read a comparison: what the beginning and the end of the stretch lack."""
    subject, back = taking.subject, max(reach(a), reach(b))
    tables = [subject.topics[source] for source in sorted(subject.tables)]
    streams = [topic for source, topic in subject.topics.items() if source not in subject.tables]
    found = []
    if tables:
        found.append(
            f"rows of {' and '.join(dict.fromkeys(tables))} are those of the topic from its beginning on: what was "
            "deleted by retention or compaction is missing"
        )
    if streams and back:
        found.append(f"streams are read from {back:,} ms before the stretch, for what is held at its beginning")
    if _unbounded(a):
        found.append("sessions or windows by count that began before that are cut off")
    found.append("nothing is closed at the end of the stretch: what waits there is pending")
    if taking.arrival:
        found.append("records are taken in as they came, and the wall clock goes by that")
    else:
        found.append(
            "records are merged by event time, as by a worker that reads them again; when they came is not known"
        )
        if subject.idle_timeout is not None:
            found.append("so the idle timeout closes nothing")
    if taking.whole and not subject.whole:
        found.append("what the app writes once more by another key is taken to its partition directly")
    return found


def _unbounded(join: Join[Any]) -> bool:
    return isinstance(getattr(join, "windows", None), Sessions | CountWindows)


def _declared(join: Join[Any]) -> str:
    return str(join.declared())


def _outcome(one: Outcome) -> tuple[dict[str, int], int, int, int]:
    return dict(sorted(one.records.items())), one.results, one.rows, one.bytes


def _part(topic: str, part: Part) -> PartTold:
    return PartTold(topic, part.tp.partition, part.begin, part.start, part.end)


def _moved(one: Moved) -> MovedTold:
    return MovedTold(one.a, one.b, one.records, [_sample(*sample) for sample in one.samples])


def _sample(place: Place, a: Became, b: Became) -> Sample:
    return Sample(*place, a.late_by, b.late_by)


def _result(change: Change[What, object]) -> ResultTold:
    what = change.what
    key = None if what.key is None else what.key.decode(errors="backslashreplace")
    places = [None if place is None else str(place) for place in what.places]
    return ResultTold(key, places, what.start, what.end, list(map(_shown, change.a)), list(map(_shown, change.b)))


def _shown(says: object) -> str:
    """Return what a result says, shortened: its event time, and of which row or of which values it is."""
    match says:
        case int():
            text = str(says)
        case (int(timestamp), place, bytes() | None as value):
            row = "no row" if value is None else value.decode(errors="backslashreplace")
            text = f"{timestamp} {'' if place is None else place} {row}".replace("  ", " ")
        case (int(timestamp), tuple() as places):
            text = f"{timestamp} {', '.join('no row' if place is None else str(place) for place in places)}"
        case (values, bool(final)):
            text = f"{_json(values)}{'' if final else ', not final'}"
        case _:
            text = _json(says)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _json(value: object) -> str:
    return msgspec.json.encode(value, enc_hook=str).decode()
