"""An app that gives payments features; the environment says which (``FEATURES``), and how it ends (``DIES_AT``)."""

from __future__ import annotations

import os
import signal
from typing import Any

from commit_steps import end_at

from streamapp import App
from streamapp.windows import Collect, Count, Sum

GRACE = "200ms"
#: Features by their names, of each kind: by the records' keys, by one other field, by three keys at once.
KINDS: dict[str, dict[str, Any]] = {
    "keyed": {"n": Count(over="500ms"), "spent": Sum("amount", over="2s")},
    "by-ip": {"ip_n": Count(over="500ms", by="ip")},
    "several": {
        "n": Count(over="500ms"),
        "ip_n": Count(over="500ms", by="ip"),
        "spent": Sum("amount", over="2s", by="account"),
        "ip_spent": Sum("amount", over="1s", by="ip"),
    },
}
#: Features that may be large.
LARGE: dict[str, dict[str, Any]] = {"listed": {"notes": Collect("note", over="500ms", by="ip")}}
SIDES = ("late", "null_key", "rejected")

app = App(origin="enriching_app")
for kind in filter(None, os.environ.get("FEATURES", "").split(",")):
    enriched = app.topic("payments").enrich(grace=os.environ.get("GRACE", GRACE), name=kind, **(KINDS | LARGE)[kind])
    sides: dict[str, Any] = {side: app.sink(f"{kind}.{side}") for side in SIDES}
    enriched.to(f"{kind}.results", **sides)
if step := os.environ.get("DIES_AT"):
    end_at(step, signal.SIGKILL)
