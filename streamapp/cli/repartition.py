"""``streamapp repartition``: moves the rows of tables along when topics get more partitions."""

from __future__ import annotations

import sys
import time
from typing import Any, NoReturn

import click
from faust.cli.base import AppCommand, option

from streamapp.kafka.admin import Cluster, ClusterError
from streamapp.kafka.log_reader import LogError
from streamapp.worker.app import App

__all__ = ["Repartition"]


class Repartition(AppCommand):
    """Move the rows of the tables to the partitions where their keys are, after partitions were added to topics.

    Without --execute it only says what it would do. All workers must be stopped. The group's offsets stay as they are:
    it goes on where it was, and reads new partitions from their beginning. What was broken off is done by the next try.
    """

    app: App

    options = [  # noqa: RUF012 - Faust declares it so
        option(
            "--partitions",
            type=click.IntRange(1, 10_000),
            help="Partitions that joined topics are to have: missing ones are added. [default: what they have]",
        ),
        option("--execute", is_flag=True, help="Do it."),
        option(
            "--leave-unread",
            is_flag=True,
            help="Do it although records are not read yet that lie where their keys were before: they find the rows as "
            "they are now.",
        ),
    ]

    def __init__(self, ctx: click.Context, *, partitions: int | None, execute: bool, leave_unread: bool) -> None:
        super().__init__(ctx)
        self.partitions = partitions
        self.executes = execute
        self.leave_unread = leave_unread

    def __call__(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Ask the broker and move the rows; nothing of the Faust app is started.

        Raises:
            SystemExit: always; 1 if it cannot be done.
        """
        try:
            self._run()
        except (ClusterError, LogError) as exc:
            print(f"streamapp repartition: {exc}", file=sys.stderr)
            sys.exit(1)
        sys.exit(0)

    def _run(self) -> None:
        from streamapp.kafka.consumer_group import ConsumerGroup  # only for who needs it
        from streamapp.repartitioning.execute import execute
        from streamapp.repartitioning.plan import make_plan

        settings = self.app.settings
        cluster = Cluster(settings)
        ConsumerGroup(cluster, settings.id).check_empty()
        plan = make_plan(self.app, cluster, self.partitions)
        for line in plan:
            print(line)
        if plan.empty:
            print("nothing to be moved: the tables have as many partitions as their topics")
            return
        if plan.unread and not self.leave_unread:
            raise ClusterError(
                "records that are not read yet would miss their rows, which move; read them first (topics without new "
                "partitions: start the workers until `streamapp lag --at-most 0` says so), or --leave-unread: rows of "
                "their keys are in both partitions then, and updates among them have to be sent again"
            )
        if not self.executes:
            print("nothing was changed: --execute does it")
            return
        began = time.monotonic()
        execute(cluster, plan)
        print(f"done in {time.monotonic() - began:.1f} s: workers can be started")
