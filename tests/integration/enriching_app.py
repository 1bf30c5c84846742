"""An app that gives payments features; the environment says which (``FEATURES``), and how it ends (``DIES_AT``)."""

from __future__ import annotations

import os
import signal

from commit_steps import end_at

from streamapp import App
from streamapp.windows import Count, Sum
from streamapp.windows.aggregate import Aggregate

GRACE = "200ms"
#: Features by their names, of each kind: by the records' keys, by one other field, by three keys at once.
KINDS: dict[str, dict[str, Aggregate]] = {
    "keyed1": {"n": Count(over="1m")},
    "keyed": {"n": Count(over="500ms"), "spent": Sum("amount", over="2s")},
    "by-ip": {"ip_n": Count(over="500ms", by="ip")},
    "several": {
        "n": Count(over="500ms"),
        "ip_n": Count(over="500ms", by="ip"),
        "spent": Sum("amount", over="2s", by="account"),
        "ip_spent": Sum("amount", over="1s", by="ip"),
    },
}
SIDES = ("late", "null_key", "rejected")

app = App(origin="enriching_app")
for kind in filter(None, os.environ.get("FEATURES", "").split(",")):
    enriched = app.topic("payments").enrich(grace=os.environ.get("GRACE", GRACE), name=kind, **KINDS[kind])
    enriched.to(f"{kind}.results", **{side: app.sink(f"{kind}.{side}") for side in SIDES})
if step := os.environ.get("DIES_AT"):
    end_at(step, signal.SIGKILL)
