"""What was measured of lateness, as a terminal shows it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from streamapp.advice.report import (
    Advice,
    DistanceAdvice,
    Grace,
    JoinAdvice,
    LatenessAdvice,
    Skew,
    TopicAdvice,
)
from streamapp.browse.shown import moment
from streamapp.cli.units import amount, lined_up, reason, span

__all__ = ["told"]

#: Characters of the longest bar.
BAR: Final = 40
#: Parts of a character that a bar may end with, and how many make a whole one.
EIGHTHS: Final = " ▏▎▍▌▋▊▉"


def told(advice: Advice) -> str:
    """Return it as text."""
    lines: list[str] = []
    for topic in advice.topics:
        lines += [*_topic(topic), ""]
    for join in advice.joins:
        lines += [*_join(join), ""]
    lines += [f"not measured: {reason(one)}" for one in advice.bad]
    lines += [f"measured all the same: {reason(one)}" for one in advice.odd]
    lines += [f"note: {note}" for note in advice.notes]
    lines.append(f"read {advice.records:,} records in {advice.seconds:,.1f} s, {advice.records_per_s:,}/s")
    return "\n".join(lines)


def _topic(topic: TopicAdvice) -> Iterator[str]:
    yield f"{topic.topic}: {topic.records:,} records, {amount(topic.bytes)}; each partition by its own clock"
    shares = list(topic.lateness.at_most_ms)
    rows = [("  PARTITION", "OFFSETS", "RECORDS", "BEHIND", *shares, "FUTURE", "EVENT TIME")]
    for part in topic.partitions:
        late = part.lateness
        times = "-" if part.since is None or part.until is None else f"{moment(part.since)} to {moment(part.until)}"
        offsets = f"{part.begin:,}-{part.end - 1:,}"
        rows.append((f"  {part.partition}", offsets, *_row(late), times))
    if len(topic.partitions) > 1:
        rows.append(("  all", "", *_row(topic.lateness), ""))
    yield from lined_up(rows, (0, len(rows[0]) - 1))


def _row(late: LatenessAdvice) -> tuple[str, ...]:
    shares = map(span, late.at_most_ms.values())
    return f"{late.records:,}", f"{late.behind:,}", *shares, f"{late.future:,}"


def _join(join: JoinAdvice) -> Iterator[str]:
    late = join.lateness
    yield f"{join.name}: {join.declared or 'one clock for all of them'}"
    if not late.records:
        yield "  no records that move its clock"
        return
    yield from _lateness(late)
    for topic, side in join.sides.items():
        yield f"  {topic}: {side.behind:,} of {side.records:,} behind, at most {span(side.at_most_ms['100 %'])}"
    if join.present is None and join.declared:
        yield "  no record is late: there is no grace"
    if join.graces:
        yield ""
        yield from _graces(join)
    if join.distances is not None:
        yield ""
        yield from _distances(join.distances)
    if join.skew is not None and (skewed := list(_skew(join.skew))):
        yield from ("", *skewed)
    if late.early or late.future:
        yield ""
        yield from _early(late)
    for one in join.refused:
        yield f"  not taken in: {reason(one)}"


def _lateness(late: LatenessAdvice) -> Iterator[str]:
    most = max((bar.records for bar in late.histogram), default=0)
    rows, before = [("  BEHIND THE CLOCK BY", "RECORDS", "SO FAR", "")], 0
    for bar in late.histogram:
        before += bar.records
        name = "nothing" if not bar.up_to_ms else f"up to {span(bar.up_to_ms)}"
        share = _share(before / late.records)
        rows.append((f"  {name}", f"{bar.records:,}", f"{share} %", _bar(bar.records, most)))
    yield from lined_up(rows, (0, 3))


def _share(part: float) -> str:
    """Return a share of less than all in per cent, cut off: it is not told as all."""
    return f"{int(part * 1_000_000) / 10_000:.6g}" if part < 1 else "100"


def _bar(count: int, most: int) -> str:
    eighths = -(-count * BAR * 8 // most) if most else 0
    whole, rest = divmod(eighths, 8)
    return "█" * whole + EIGHTHS[rest].strip()


def _graces(join: JoinAdvice) -> Iterator[str]:
    graces = [*([] if join.present is None else [join.present]), *join.graces]
    heads = [wait.what.upper() for wait in graces[0].waits]
    rows = [("  A GRACE OF", "KEEPS", "LATE", *(f"{head} AFTER" for head in heads), "HOLDS ON AVERAGE", "AT MOST")]
    for grace in graces:
        kept = join.lateness.records - grace.late
        keeps = grace.share or f"{_share(kept / join.lateness.records)} % (now)"
        average, most = _held(grace)
        waits = (span(wait.ms) for wait in grace.waits)
        rows.append((f"  {span(grace.grace_ms)}", keeps, f"{grace.late:,}", *waits, average, most))
    yield from lined_up(rows)


def _held(grace: Grace) -> tuple[str, str]:
    rows, most = sum(one.rows for one in grace.state), sum(one.most_rows for one in grace.state)
    sizes = [one.bytes for one in grace.state], [one.most_bytes for one in grace.state]
    texts = []
    for count, known in zip((rows, most), sizes, strict=True):
        found = [size for size in known if size is not None]
        told = f", {amount(sum(found))}" if len(found) == len(known) else ""
        texts.append(f"{count:,} rows{told}")
    return texts[0], texts[1]


def _distances(distances: DistanceAdvice) -> Iterator[str]:
    yield (
        f"  of {distances.left:,} left records {distances.with_partner:,} have a right one of their key: "
        f"{distances.with_earlier:,} one that is not later, {distances.with_later:,} one that is later"
    )
    rows = [("  OF THESE SO MANY ARE MATCHED", "BY BEFORE ALONE", "BY AFTER ALONE", "BY BOTH, OF EACH")]
    rows += [
        (f"  {one.share}", span(one.before_ms), span(one.after_ms), span(one.either_ms)) for one in distances.windows
    ]
    yield from lined_up(rows)
    if distances.matched is not None and distances.left:
        share = _share(distances.matched / distances.left)
        yield f"  the window that there is has a right one for {distances.matched:,} of them ({share} % of all)"


def _skew(skew: Skew) -> Iterator[str]:
    ends = skew.at_end_ms
    if ends:
        by = ", ".join(f"{number}: {_ahead(one)}" for number, one in ends.items())
        yield f"  where the stretch ends the left side is, by partition, {by}"
    if skew.left_ahead_ms is not None and skew.right_ahead_ms is not None:
        left, right = span(skew.left_ahead_ms), span(skew.right_ahead_ms)
        yield f"  while records came the left side was ahead by {left} at most, the right side by {right}"


def _ahead(skew: int) -> str:
    return "even" if not skew else f"{span(abs(skew))} {'ahead' if skew > 0 else 'behind'}"


def _early(late: LatenessAdvice) -> Iterator[str]:
    if late.furthest is not None:
        one = late.furthest
        yield (
            f"  {late.future:,} records are ahead of the wall clock, {late.beyond:,} of them by more than "
            f"STREAMAPP_MAX_AHEAD, which moves no clock; the furthest is {one.topic}[{one.partition}]@{one.offset}, of "
            f"{moment(one.timestamp)}"
        )
    if late.early:
        yield "  records that moved the clock on, so that others were behind it:"
        rows = [("   ", "OF", "MADE THEM LATE BY", "RECORDS BEHIND", "AT MOST BY")]
        rows += [
            (
                f"    {one.topic}[{one.partition}]@{one.offset}",
                moment(one.timestamp),
                span(one.made_ms),
                f"{one.behind:,}",
                span(one.behind_ms),
            )
            for one in late.early
        ]
        yield from lined_up(rows)
