"""An app with windows, by their names; the environment says which of them it has (``WINDOWS``).

It may say too at which step of a commit the worker is killed (``DIES_AT``).
"""

from __future__ import annotations

import os
import signal

from commit_steps import end_at

from streamapp import App
from streamapp.topology import Topic, WindowDeclaration
from streamapp.windows import hopping, tumbling
from streamapp.windows.count import Count
from streamapp.windows.numbers import Sum

SIDES = ("late", "partly_late", "null_key", "rejected")
#: All kinds of windows that are here.
KINDS = ("tumbling", "hopping", "by-ip")


def declared(app: App) -> dict[str, WindowDeclaration]:
    """All windows that the tests run, by name."""
    payments = app.topic("payments")
    found = [
        made(payments, tumbling(500), "tumbling"),
        made(payments, hopping(500, 250), "hopping"),
        made(payments, tumbling(500), "by-ip", by="ip"),
    ]
    return {window.name: window for window in found}


def made(payments: Topic, windows: object, name: str, **options: object) -> WindowDeclaration:
    """Declare how many payments there are in windows, and of how much."""
    options = {"grace": "200ms", "idle_timeout": IDLE, **options}
    return payments.window(windows, name=name, **options).agg(n=Count(), total=Sum("amount"))


def run(app: App, names: str) -> None:
    """Have the app run some of the windows, each to a topic of its name."""
    found = declared(app)
    for name in names.split(","):
        found[name].to(f"{name}.results", **{side: app.sink(f"{name}.{side}") for side in SIDES})


IDLE = os.environ.get("IDLE_TIMEOUT")
app = App(origin="windows_app")
run(app, os.environ.get("WINDOWS", "tumbling"))
if step := os.environ.get("DIES_AT"):
    end_at(step, signal.SIGKILL)
