"""``streamapp produce``: fill the topics."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, NoReturn

import click
from faust.cli.base import AppCommand, argument, option

from streamapp import produce
from streamapp.worker.app import App

__all__ = ["Produce"]

_SHARE = click.FloatRange(0, 1)


class Produce(AppCommand):
    """Produce records: generated profiles and clicks, or the lines of a file.

    Without TOPIC, one profile for each user goes to user_profiles, then clicks to user_clicks. With TOPIC
    (its full name), each line of --file, a JSON object, is sent to it as it is.
    """

    app: App

    options = [  # noqa: RUF012 - Faust declares it so
        argument("topic", required=False),
        option("--users", type=click.IntRange(min=1), default=1_000, help="Users, with a profile each."),
        option("--clicks", type=click.IntRange(min=0), default=10_000, help="Clicks."),
        option("--endless", is_flag=True, help="Clicks until Ctrl-C; needs --rate."),
        option("--seed", type=int, default=0, help="The same seed gives the same records."),
        option("--late-share", type=_SHARE, default=0.0, help="Part of the clicks that is 1 to 10 minutes late."),
        option("--bad-share", type=_SHARE, default=0.0, help="Part of the clicks that no join can take."),
        option("--unmatched-share", type=_SHARE, default=0.0, help="Part of the clicks without a profile."),
        option("--update-share", type=_SHARE, default=0.01, help="Profile updates for each click."),
        option("--file", help="JSON lines for TOPIC, also compressed or UTF-16; - (the default) is stdin."),
        option("--key", help="Field of a line that is the key, or a.b of an object in it; without it there is none."),
        option("--timestamp", help="Field of a line that is the event time; without it, it is now."),
        option(
            "--unit",
            type=click.Choice([unit.value for unit in produce.Unit]),
            help="Of numbers in --timestamp; date: 20231114 and the like. [default: s to ns, by their magnitude]",
        ),
        option("--raw", is_flag=True, help="Send lines unchecked, whatever they are."),
        option("--create", is_flag=True, help="Create TOPIC if it does not exist."),
        option("--rate", type=click.FloatRange(min=0), default=0.0, help="Records a second; 0 is all it can."),
        option(
            "--timeout",
            type=click.FloatRange(min=0.1),
            default=30.0,
            help="Seconds until a record that is not acknowledged has failed.",
        ),
        option("--json", "as_json", is_flag=True, help="Report as a JSON line."),
    ]

    def __init__(self, ctx: click.Context, **given: Any) -> None:
        super().__init__(ctx)
        self.source = self._traffic(given) if given["topic"] is None else self._from_file(given)
        self.delivery = produce.Options(rate=given["rate"], timeout=given["timeout"], progress=not self.quiet)
        self.json = self.json or given["as_json"]

    def __call__(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Produce without a worker: nothing of the Faust app is started.

        Raises:
            SystemExit: always, with the exit code of `streamapp.produce.run`.
        """
        sys.exit(produce.run(self.app.settings, self.source, self.delivery, as_json=self.json))

    def _traffic(self, given: Mapping[str, Any]) -> produce.Traffic:
        for name in ("file", "key", "timestamp", "unit", "raw", "create"):
            if given[name]:
                raise self.UsageError(f"--{name} needs a TOPIC")
        try:
            return produce.Traffic(
                users=given["users"],
                clicks=None if given["endless"] else given["clicks"],
                seed=given["seed"],
                late_share=given["late_share"],
                bad_share=given["bad_share"],
                unmatched_share=given["unmatched_share"],
                update_share=given["update_share"],
            )
        except ValueError as exc:
            raise self.UsageError(str(exc)) from None

    def _from_file(self, given: Mapping[str, Any]) -> produce.FromFile:
        if given["unit"] and not given["timestamp"]:
            raise self.UsageError("--unit needs a --timestamp")
        return produce.FromFile(
            topic=given["topic"],
            path=given["file"] or "-",
            lines=produce.JsonLines(
                key=given["key"],
                timestamp=given["timestamp"],
                unit=produce.Unit(given["unit"]) if given["unit"] else None,
                raw=given["raw"],
            ),
            create=given["create"],
        )
