"""An app with windows, by their names; the environment says which of them it has (``WINDOWS``).

It may say too at which step of a commit the worker is killed (``DIES_AT``).
"""

from __future__ import annotations

import os
import signal
from typing import Any

from commit_steps import end_at

from streamapp import App
from streamapp.topology import Topic, WindowDeclaration
from streamapp.windows import Count, Sum, Windows, each, hopping, last, look_back, session, tumbling

SIDES = ("late", "partly_late", "null_key", "rejected")
#: All kinds of windows that are here; the minutes are so long that many records are for one.
KINDS = ("tumbling", "hopping", "session", "look-back", "last", "each", "by-ip")


def declared(app: App) -> dict[str, WindowDeclaration]:
    """All windows that the tests run, by name."""
    payments = app.topic("payments")
    found = [
        made(payments, tumbling(500), "tumbling"),
        made(payments, hopping(500, 250), "hopping"),
        made(payments, session("20ms"), "session"),
        made(payments, look_back(500), "look-back", emission="both"),
        made(payments, last(3), "last"),
        made(payments, each(3), "each"),
        made(payments, tumbling(500), "by-ip", by="ip"),
        made(payments, tumbling("1m"), "minutes"),
    ]
    return {window.name: window for window in found}


def made(payments: Topic, windows: Windows, name: str, **options: Any) -> WindowDeclaration:
    """Declare how many payments there are in windows, and of how much."""
    options = {"grace": "200ms", "idle_timeout": IDLE, **options}
    return payments.window(windows, name=name, **options).agg(n=Count(), total=Sum("amount"))


def run(app: App, names: str) -> None:
    """Have the app run some of the windows, each to a topic of its name."""
    found = declared(app)
    for name in names.split(","):
        sides: dict[str, Any] = {side: app.sink(f"{name}.{side}") for side in SIDES}
        found[name].to(f"{name}.results", **sides)


IDLE = os.environ.get("IDLE_TIMEOUT")
app = App(origin="windows_app")
run(app, os.environ.get("WINDOWS", "tumbling"))
if step := os.environ.get("DIES_AT"):
    end_at(step, signal.SIGKILL)
