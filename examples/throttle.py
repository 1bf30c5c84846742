"""Alerts, at most two a minute of each machine: a function with a state, and a side output for what is too much.

Run it:       faust -A examples.throttle worker -l info
Send:         echo '{"machine": "m1", "text": "hot"}' | streamapp produce alerts --key machine       (three times)
What it gives: pages has the alert twice, and muted_alerts once. A minute is one of the alerts' own times.
"""

from __future__ import annotations

from typing import Any

import msgspec

from streamapp import App, Context, TypedRecord

MINUTE_MS = 60_000


class Minute(msgspec.Struct):
    start: int = 0
    alerts: int = 0


def throttle(alert: TypedRecord[Any], machine: Context[Minute]) -> None:
    """Let the first two alerts of a minute through."""
    if alert.timestamp >= machine.state.start + MINUTE_MS:
        machine.state = Minute(alert.timestamp)
    machine.state.alerts += 1
    machine.emit(alert, side="" if machine.state.alerts <= 2 else "muted")


app = App("throttle")

throttled = app.topic("alerts", create=True).process(throttle, state=Minute, ttl="10m")
throttled.to("pages")
throttled.side("muted").to("muted_alerts")
