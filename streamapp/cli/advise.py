"""``streamapp advise``: how late records are, and what each grace would keep and cost."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import click
import msgspec

from streamapp.advice.measuring import Measuring
from streamapp.advice.stretch import EMPTY, Reader, StretchError
from streamapp.advice.subject import Subject, subjects
from streamapp.browse.reading import partitions_of
from streamapp.cli.advice_report import told
from streamapp.cli.group import Command, current_app, current_settings
from streamapp.cli.ready_made import duration
from streamapp.cli.stretch_options import StretchOptions, connect, stretch
from streamapp.joins import StreamStreamJoin
from streamapp.runtime.inputs import Input
from streamapp.settings import Settings

__all__ = ["advise"]


@click.command(cls=Command)
@click.argument("topics", nargs=-1)
@click.option("--join", "--window", "name", help="Name of a join or window of the app. [default: all of them]")
@click.option("--before", type=duration, help="Of two TOPICs: how much earlier a record of the second one may be.")
@click.option("--after", type=duration, help="How much later it may be.")
@click.option("--grace", type=duration, help="Of TOPICs: the grace to look at besides.")
@click.option("--idle-timeout", type=duration, help="After how long a silence event time goes on by itself.")
@stretch
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON.")
def advise(
    topics: tuple[str, ...],
    name: str | None,
    before: int | None,
    after: int | None,
    grace: int | None,
    idle_timeout: int | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Measure how late records are, and say what each grace would keep and cost.

    Of TOPICs, several of which are looked at with a clock of their own and with one together; without them of the joins
    and windows of the app (streamapp -A MODULE advise). A record is as late as its event time is behind the clock of
    its partition, which is the largest event time so far. For a grace that keeps 99, 99.9, 99.99 and 100 % of the
    records it is said how much later what waits comes out, and what is held meanwhile. Of two streams: how far the
    closest partners are apart. Topics are only read.
    """
    options = StretchOptions(**given)
    settings = current_settings()
    if topics:
        if name is not None:
            raise click.UsageError("--join names one of the app's, and goes without TOPICs")
        found = _of_topics(settings, topics, (before, after), grace, idle_timeout)
    else:
        if any(one is not None for one in (before, after, grace, idle_timeout)):
            raise click.UsageError("--before, --after, --grace and --idle-timeout are for TOPICs: a join has its own")
        app = current_app()
        connect(app)
        found = subjects(app, name)
    now = time.time_ns() // 1_000_000
    with Reader(settings, options.event_time(settings)) as reader:
        measuring = Measuring(reader, options.asked, now, settings.max_ahead, arrival=bool(options.timestamp))
        for subject in found:
            measuring.measure(subject)
        advice = measuring.advice()
    if not advice.records:
        raise StretchError(EMPTY)
    click.echo(msgspec.json.encode(advice) if as_json else told(advice))


def _of_topics(
    settings: Settings,
    topics: Sequence[str],
    window: tuple[int | None, int | None],
    grace: int | None,
    idle_timeout: int | None,
) -> list[Subject]:
    """Return what topics are looked at as: a join of two, or those with as many partitions together."""
    tps = [partitions_of(settings, topic) for topic in topics]
    inputs = [Input(some[0].topic, number) for number, some in enumerate(tps)]
    before, after = window
    if before is not None or after is not None:
        if len(topics) != 2 or before is None or after is None:
            raise click.UsageError("--before and --after are of two TOPICs, and go together")
        try:
            join = StreamStreamJoin(before=before, after=after, grace=grace or 0)
        except ValueError as exc:
            raise click.UsageError(str(exc)) from None
        return [Subject(" + ".join(topics), join, inputs, idle_timeout)]
    counts = [len(some) for some in tps]
    return [
        Subject(
            " + ".join(each.topic for each, other in zip(inputs, counts, strict=True) if other == count),
            None,
            [each for each, other in zip(inputs, counts, strict=True) if other == count],
            idle_timeout,
            asked_grace=grace,
        )
        for count in dict.fromkeys(counts)
    ]
