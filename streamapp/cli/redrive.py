"""``streamapp redrive``: dead letters and late records once more."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Final

import click
import msgspec

from streamapp.cli.conditions import ConditionType
from streamapp.cli.formats import BARE, FORMAT, format_of, registry_of
from streamapp.cli.group import Command, current_app, current_settings
from streamapp.conditions import Condition, ConditionError
from streamapp.formats.named import FormatName
from streamapp.formats.registered import RegisteredData
from streamapp.mending import Mending
from streamapp.pipelines.settings import AppSettings
from streamapp.redrive.drafts import EditError, FormatsOf, Opening, Outgoing, edited, line, lines
from streamapp.redrive.forms import Formats
from streamapp.redrive.redriving import Redriving, Refused
from streamapp.redrive.selection import Selection
from streamapp.reset.where import Kind, Where, WhereType
from streamapp.settings import DEAD_LETTERS, Settings

__all__ = ["redrive"]

#: Letters of a reason, and refused ones, that are shown.
SAMPLES: Final = 2
REFUSED: Final = 10


class OffsetsType(click.ParamType):
    """An offset, or the first and the last one of some."""

    name = "offsets"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Read it."""
        if isinstance(value, tuple):
            return value
        first, _, last = str(value).partition("-")
        if not first.isdecimal() or not (last or first).isdecimal() or int(last or first) < int(first):
            self.fail(f"{value!r} is no offset, such as 17, and no range of them, such as 17-42", param, ctx)
        return int(first), int(last or first)


@click.command(cls=Command)
@click.argument("topic", required=False)
@click.option(
    "--reason", "reasons", multiple=True, help="Only those with this reason: not_json, late, …; several: any."
)
@click.option("--by", multiple=True, help="Only what this join, window or agent had rejected; several: any.")
@click.option("--from", "since", type=WhereType(), help="The event time they begin at: 2026-01-31T12:00:00Z, 2h (ago).")
@click.option("--until", type=WhereType(), help="The event time they are before.")
@click.option("--source", help="Only records of this topic.")
@click.option(
    "-p", "--partition", "partitions", type=click.IntRange(min=0), multiple=True, help="Of it, only this one."
)
@click.option("--offsets", type=OffsetsType(), help="Of it, only these offsets: 17, or 17-42.")
@click.option("--key", help="Only records with this key.")
@click.option("--where", type=ConditionType(), help="Only values of which it holds: 'amount < 0 and user.id == \"a\"'.")
@click.option("--rename", multiple=True, help="Give a field another name: 'usr=user_id'. First of all.")
@click.option("--set", "set_", multiple=True, help="Set a field, _key or _time: 'amount=number(amount)', 'ts=_time'.")
@click.option("--drop", multiple=True, help="Leave a field out. Last of all.")
@click.option("--edit", is_flag=True, help="Open them in $EDITOR, as JSON lines; a line that is deleted is left.")
@click.option("--format", "format_", type=FORMAT, help="What values are, to be mended. [default: as the app has them]")
@click.option("--key-format", type=FORMAT, help="What keys are. [default: as the app has them, or text]")
@click.option("--schema", help="order.avsc, order.proto, order.proto:Order or module:Order, for --format.")
@click.option("--key-schema", help="The same for --key-format.")
@BARE
@click.option("--execute", "--yes", "execute", is_flag=True, help="Send them. [default: show what would be sent]")
@click.pass_context
def redrive(
    ctx: click.Context,
    /,
    topic: str | None,
    reasons: tuple[str, ...],
    by: tuple[str, ...],
    since: Where | None,
    until: Where | None,
    source: str | None,
    partitions: tuple[int, ...],
    offsets: tuple[int, int] | None,
    key: str | None,
    where: Condition | None,
    rename: tuple[str, ...],
    set_: tuple[str, ...],
    drop: tuple[str, ...],
    edit: bool,
    format_: str | None,
    key_format: str | None,
    schema: str | None,
    key_schema: str | None,
    bare: bool,
    execute: bool,
) -> None:
    """Send dead letters and late records once more, to the topics they came from: mended, and nothing twice.

    TOPIC has them: the dead letters by default, or one for records that are late, unmatched, rejected. They keep their
    keys, event times, partitions and headers, and get a mark that their results have, too. Shows what would be sent;
    --execute sends it. What was sent before is skipped, whoever sent it, and however that ended. The last line is JSON:
    picked, mended, sent, skipped, refused; exit code 1 if any are refused.
    """
    for place in (since, until):
        if place is not None and place.kind is not Kind.TIME:
            raise click.UsageError("--from and --until are times")
    if offsets is not None and source is None:
        raise click.UsageError("--offsets needs --source TOPIC")
    if edit and not execute:
        raise click.UsageError("--edit needs --execute: what is edited is sent when the editor ends")
    settings = current_settings()
    selection = Selection(
        reasons,
        None if since is None else since.value,
        None if until is None else until.value,
        {name for name in (source, source and settings.topic(source)) if name},
        partitions,
        offsets,
        key,
        where,
        by,
    )
    formats = _formats(settings, format_, schema, key_format, key_schema, bare=bare)
    try:
        mending = Mending(rename=rename, set_=set_, drop=drop)
    except ConditionError as exc:
        raise click.UsageError(f"--rename, --set or --drop: {exc}") from None
    refused: list[Refused] = []
    redriving = Redriving(settings, topic or DEAD_LETTERS, selection, mending, formats, refused.append)
    shown = _Shown(formats)
    picked: Iterator[Outgoing] = (outgoing for _, outgoing in shown.seen(redriving.pick()))
    if edit:
        picked = _edited(list(picked), redriving, formats)
    try:
        if execute:
            redriving.send(picked)
        else:
            deque(picked, maxlen=0)
    finally:
        _print(redriving, shown, refused, execute=execute)
    ctx.exit(1 if redriving.report.refused else 0)


def _formats(
    settings: Settings,
    value: str | None,
    schema: str | None,
    key: str | None,
    key_schema: str | None,
    *,
    bare: bool,
) -> FormatsOf:
    """Return what tells the formats of a topic: those of the options, or else those that the app declares."""
    registry = registry_of(settings, bare=bare)

    @cache
    def formats(topic: str) -> Formats:
        declared = _declared(settings, topic)
        for each in (declared.value, declared.key):
            if isinstance(each, RegisteredData) and registry is not None:
                each.connect(registry, blocks=True)
        return Formats(
            format_of(value, schema, topic, registry) or declared.value,
            format_of(key, key_schema, topic, registry, key=True) or declared.key,
        )

    return formats


def _declared(settings: Settings, topic: str) -> Formats:
    if isinstance(settings, AppSettings):
        kinds = {settings.format, settings.click_format, settings.profile_format}
        if kinds <= {FormatName.JSON, None} and settings.key_format is None:
            return Formats()
        from streamapp.pipelines.clicks.formats import sides  # which imports the app

        both, keys = (sides.clicks, sides.profiles), None if sides.keys is None else sides.keys.format
        return next((Formats(side.format, keys) for side in both if settings.topic(side.topic) == topic), Formats())
    serde = current_app().declared.serdes.get(topic)
    return Formats() if serde is None else Formats(serde.value, serde.key)


class _Shown:
    """What is shown of the letters that were picked."""

    def __init__(self, formats: FormatsOf) -> None:
        self._formats = formats
        self._samples: defaultdict[tuple[str, str], list[str]] = defaultdict(list)

    def seen(self, picked: Iterable[tuple[Opening, Outgoing]]) -> Iterator[tuple[Opening, Outgoing]]:
        """Go through letters, and keep some of each reason to be shown."""
        for opening, outgoing in picked:
            letter = opening.letter
            samples = self._samples[letter.source.topic, letter.reason]
            if len(samples) < SAMPLES:
                samples.append(self._sample(opening, outgoing))
            yield opening, outgoing

    def lines(self) -> Iterator[str]:
        """Go through the lines that show them."""
        for samples in self._samples.values():
            yield from samples

    def _sample(self, opening: Opening, outgoing: Outgoing) -> str:
        letter = opening.letter
        attempt = f", redriven {letter.mark.attempt} times before" if letter.mark else ""
        by = f" by the {letter.by}" if letter.by else ""
        told = f"{letter.place} of {letter.source}, {letter.reason}{by}{attempt}: {letter.error}"
        before = line(opening.changed(opening.key, letter.timestamp, opening.value), self._formats).decode()
        if not outgoing.is_mended:
            return f"{told}\n  as it is  {before}"
        return f"{told}\n  before  {before}\n  after   {line(outgoing, self._formats).decode()}"


def _edited(picked: list[Outgoing], redriving: Redriving, formats: FormatsOf) -> Iterator[Outgoing]:
    """Have records edited; a file whose lines cannot be sent stays."""
    if not picked:
        return iter(())
    handle, name = tempfile.mkstemp(prefix="streamapp-redrive-", suffix=".jsonl")
    path = Path(name)
    with os.fdopen(handle, "wb") as file:
        file.writelines(one + b"\n" for one in lines(picked, formats))
    click.edit(filename=name)
    try:
        found = edited(path.read_text(), picked, formats)
    except (EditError, UnicodeDecodeError) as exc:
        raise EditError(f"nothing is sent: {exc}; what you have edited is in {name}") from None
    path.unlink()
    redriving.report.mended = sum(one.is_mended for one in found)
    return iter(found)


def _print(redriving: Redriving, shown: _Shown, refused: list[Refused], *, execute: bool) -> None:
    by_topic: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for (topic, reason), count in redriving.reasons.items():
        by_topic[topic][reason] += count
    for topic, reasons in sorted(by_topic.items()):
        click.echo(f"{topic}: " + ", ".join(f"{count:,} {reason}" for reason, count in reasons.most_common()))
    for told in shown.lines():
        click.echo(told)
    for one in refused[:REFUSED]:
        place = "" if one.letter is None else f"{one.letter.place} of {one.letter.source}: "
        click.echo(f"refused: {place}{one.why}", err=True)
    if len(refused) > REFUSED:
        click.echo(f"refused: {len(refused) - REFUSED:,} more", err=True)
    if not execute:
        click.echo("nothing is sent yet: --execute does it")
    with contextlib.suppress(BrokenPipeError):
        click.echo(msgspec.json.encode(redriving.report))
