"""What commands have in common that run a worker of their own, without a line of code."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Final

import click

from streamapp.application import App
from streamapp.cli.group import current_settings
from streamapp.reset.beginning import begin
from streamapp.reset.where import Where
from streamapp.settings import Create
from streamapp.topology import JoinError
from streamapp.windows.durations import milliseconds
from streamapp.worker.process import Worker

__all__ = ["check_field", "check_topics", "duration", "made_for", "run"]

#: Kafka's own rule; it also refuses "." and "..".
_TOPIC: Final = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}")
#: What a path into an object may look like, which is no name of a field.
_PATH: Final = re.compile(r"[./$].*|.*\.|.*\.\..*|.*\[.*\]")


def duration(value: str | int) -> int:
    """Read a duration, in ms."""
    try:
        return int(value) if str(value).lstrip("-").isdecimal() else milliseconds(value)
    except ValueError as exc:
        raise click.BadParameter(str(exc)) from None


def made_for(to: str, *, create: bool) -> App:
    """Return an app for a topic of results.

    It has a group and tables of its own, beside those of the app that the command is a part of, and of others.
    """
    settings = current_settings()
    group = f"{settings.id}-{to}"
    settings = dataclasses.replace(
        settings,
        id=group,
        datadir=settings.datadir / group,
        create=Create.MISSING if create else settings.create,
    )
    app = App(settings=settings, autodiscover=False)
    app.reset_command = f"streamapp reset --group {group}"
    return app


def run(app: App, where: Where | None) -> None:
    """Run a worker of an app; a new one begins to read streams there."""
    app.finalize()
    if where is not None:
        begin(app, where)
    Worker(app, loglevel="info").execute_from_commandline()


def check_topics(read: Mapping[str, str], sent_to: Mapping[str, str | None], noun: str) -> None:
    """Check topics, by the options that name them, of those that are sent to the results' first.

    Raises:
        JoinError: for what is no name of a topic, or if something reads what it sends, or mixes it.
    """
    named = {option: name for option, name in sent_to.items() if name is not None}
    for option, name in {**read, **named}.items():
        if not _TOPIC.fullmatch(name):
            allowed = "letters, digits, '.', '_' and '-', 249 at most"
            raise JoinError(f"--{option} {name!r} is no name of a topic: {allowed}")
    results = next(iter(named))
    for option, name in named.items():
        if reads := [other for other, topic in read.items() if topic == name]:
            raise JoinError(
                f"--{option} {name} is what --{reads[0]} reads: the {noun} would get what it sends, without end"
            )
        if option != results and name == named[results]:
            raise JoinError(f"--{option} {name} is where the results go (--{results}): name another topic")


def check_field(option: str, field: str, hint: str) -> None:
    """Check the name of a field; the hint says what it is.

    Raises:
        JoinError: if it cannot be one.
    """
    if not field.strip() or not field.isprintable():
        raise JoinError(f"--{option} {field!r} is no name of a field: {hint}")
    if field != field.strip() or _PATH.fullmatch(field):
        raise JoinError(
            f"--{option} {field!r} is no name of a field: give it as it stands in the value, without spaces or a path"
        )
