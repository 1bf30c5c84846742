"""``streamapp reset``: start again, on purpose."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click
from faust.cli.base import AppCommand, option

from streamapp.cluster import ClusterError
from streamapp.reset.errors import ResetError
from streamapp.reset.execute import execute
from streamapp.reset.survey import Survey
from streamapp.reset.where import Kind, Where, WhereType

if TYPE_CHECKING:
    from streamapp.topology.app import App

__all__ = ["Reset"]


class Partitions(click.ParamType):
    """A topic on the command line, with or without the numbers of partitions."""

    name = "topic"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, list[int]]:
        """Read it."""
        if isinstance(value, tuple):
            return value
        topic, _, numbers = value.partition(":")
        try:
            return topic, sorted({int(number) for number in numbers.split(",")}) if numbers else []
        except ValueError:
            self.fail(f"{value!r} is no topic: write TOPIC, or TOPIC:0,1 for some partitions", param, ctx)


class Reset(AppCommand):
    """Start an app or a join again: from the beginning, from a time or an offset, with an empty state.

    Shows what would be done; --execute does it. The state is emptied: changelogs are made anew, and what is in topics
    between agents, in stores on this machine and in Redis is removed; tables are read from their beginning. With
    --keep-state the state stays. No worker may run.
    """

    app: App

    options = [  # noqa: RUF012 - Faust declares it so
        option("--group", help="Consumer group. [default: STREAMAPP_ID; of `streamapp join`, that and -TOPIC of --to]"),
        option(
            "--from",
            "where",
            type=WhereType(),
            default="beginning",
            help="Where streams are read from: beginning (default), now, 2026-01-31T12:00:00Z, 1767225600000 (ms), "
            "2h (ago).",
        ),
        option(
            "--offset",
            type=click.IntRange(0, 2**63 - 1),
            help="The offset that --topic is read from, instead of --from.",
        ),
        option("--topic", "topics", multiple=True, type=Partitions(), help="TOPIC or TOPIC:0,1. [default: all input]"),
        option("--keep-state", is_flag=True, help="Leave the state as it is; tables are read on from where they are."),
        option("--execute", is_flag=True, help="Do it."),
    ]

    def __init__(self, ctx: click.Context, **given: Any) -> None:
        super().__init__(ctx)
        self.group = given["group"] or self.app.settings.id
        self.topics: dict[str, list[int]] = dict(given["topics"])
        if given["offset"] is not None and not self.topics:
            raise self.UsageError("--offset needs --topic")
        offset = given["offset"]
        self.where: Where = given["where"] if offset is None else Where(Kind.OFFSET, offset)
        self.keep_state: bool = given["keep_state"]
        self.done: bool = given["execute"]

    def __call__(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Plan it, and do it if that is asked for; nothing of the Faust app is started.

        Raises:
            SystemExit: always; 1 if it cannot be done.
        """
        try:
            survey = Survey(self.app, self.group)
            plan = survey.plan(self.where, self.topics, keep_state=self.keep_state)
            print("\n".join(plan.lines()))
            survey.group.check_empty()
            if self.done:
                execute(plan, survey.settings, survey.cluster, survey.group)
        except (ResetError, ClusterError) as exc:
            print(f"streamapp reset: {exc}", file=sys.stderr)
            sys.exit(1)
        print("done" if self.done else "nothing is changed yet: --execute does it")
        sys.exit(0)
