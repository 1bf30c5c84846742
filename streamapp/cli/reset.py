"""``streamapp reset``: start again, on purpose."""

from __future__ import annotations

import click

from streamapp.cli.group import Command, current_app
from streamapp.reset.execute import execute as execute_plan
from streamapp.reset.survey import Survey
from streamapp.reset.where import Kind, Where, WhereType

__all__ = ["reset"]


def partitions(value: str) -> tuple[str, list[int]]:
    """Read a topic, with or without the numbers of partitions."""
    topic, _, numbers = value.partition(":")
    try:
        return topic, sorted({int(number) for number in numbers.split(",")}) if numbers else []
    except ValueError:
        raise click.BadParameter(f"{value!r} is no topic: write TOPIC, or TOPIC:0,1 for some partitions") from None


@click.command(cls=Command)
@click.option("--group", help="Consumer group. [default: STREAMAPP_ID; of `streamapp join`, that and -TOPIC of --to]")
@click.option(
    "--from",
    "where",
    type=WhereType(),
    default="beginning",
    help="Where streams are read from: beginning (default), now, 2026-01-31T12:00:00Z, 1767225600000 (ms), 2h (ago).",
)
@click.option(
    "--offset", type=click.IntRange(0, 2**63 - 1), help="The offset that --topic is read from, instead of --from."
)
@click.option("--topic", "topics", multiple=True, type=partitions, help="TOPIC or TOPIC:0,1. [default: all input]")
@click.option("--keep-state", is_flag=True, help="Leave the state as it is; tables are read on from where they are.")
@click.option("--execute", is_flag=True, help="Do it.")
def reset(
    group: str | None,
    where: Where,
    offset: int | None,
    topics: tuple[tuple[str, list[int]], ...],
    keep_state: bool,
    execute: bool,
) -> None:
    """Start an app or a join again: from the beginning, from a time or an offset, with an empty state.

    Shows what would be done; --execute does it. The state is emptied: changelogs are made anew, and what is in topics
    between agents, in stores on this machine and in Redis is removed; tables are read from their beginning. With
    --keep-state the state stays. No worker may run.
    """
    if offset is not None:
        where = Where(Kind.OFFSET, offset)
        if not topics:
            raise click.UsageError("--offset needs --topic")
    app = current_app()
    survey = Survey(app, group or app.settings.id)
    plan = survey.plan(where, dict(topics), keep_state=keep_state)
    click.echo("\n".join(plan.lines()))
    survey.group.check_empty()
    if execute:
        execute_plan(plan, survey)
    click.echo("done" if execute else "nothing is changed yet: --execute does it")
