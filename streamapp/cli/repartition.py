"""``streamapp repartition``: moves the rows of tables along when topics get more partitions."""

from __future__ import annotations

import time

import click

from streamapp.cli.group import Command, current_app
from streamapp.kafka.admin import Cluster, ClusterError
from streamapp.kafka.consumer_group import ConsumerGroup
from streamapp.repartitioning.execute import execute as move_rows
from streamapp.repartitioning.plan import make_plan

__all__ = ["repartition"]


@click.command(cls=Command)
@click.option(
    "--partitions",
    type=click.IntRange(1, 10_000),
    help="Partitions that joined topics are to have: missing ones are added. [default: what they have]",
)
@click.option("--execute", is_flag=True, help="Do it.")
@click.option(
    "--leave-unread",
    is_flag=True,
    help="Do it although records are not read yet that lie where their keys were before: they find the rows as they "
    "are now.",
)
def repartition(partitions: int | None, execute: bool, leave_unread: bool) -> None:
    """Move the rows of the tables to the partitions where their keys are, after partitions were added to topics.

    Without --execute it only says what it would do. All workers must be stopped. The group's offsets stay as they are:
    it goes on where it was, and reads new partitions from their beginning. What was broken off is done by the next try.
    """
    app = current_app()
    cluster = Cluster(app.settings)
    ConsumerGroup(cluster, app.settings.id).check_empty()
    plan = make_plan(app, cluster, partitions)
    for line in plan:
        click.echo(line)
    if plan.empty:
        click.echo("nothing to be moved: the tables have as many partitions as their topics")
    elif plan.unread and not leave_unread:
        raise ClusterError(
            "records that are not read yet would miss their rows, which move; read them first (topics without new "
            "partitions: start the workers until `streamapp lag --at-most 0` says so), or --leave-unread: rows of "
            "their keys are in both partitions then, and updates among them have to be sent again"
        )
    elif not execute:
        click.echo("nothing was changed: --execute does it")
    else:
        began = time.monotonic()
        move_rows(cluster, plan)
        click.echo(f"done in {time.monotonic() - began:.1f} s: workers can be started")
