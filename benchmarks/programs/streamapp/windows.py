"""Transactions counted and summed up in windows, or each with its count; in RocksDB with a changelog."""

import os

from streamapp import App
from streamapp.windows import Count, Sum, look_back, session, tumbling

SIZE_MS, GAP_MS, GRACE_MS = (int(os.environ[name]) for name in ("SIZE_MS", "GAP_MS", "GRACE_MS"))
WINDOWS = {"tumbling": tumbling(SIZE_MS), "session": session(GAP_MS), "look_back": look_back(SIZE_MS)}

app = App(origin="windows")
transactions = app.topic(os.environ["TRANSACTIONS"])
results = app.sink(os.environ["RESULTS"])
if (kind := os.environ["WINDOW"]) == "enrich":
    transactions.enrich(n=Count(over=SIZE_MS), grace=GRACE_MS).to(results)
else:
    transactions.window(WINDOWS[kind], grace=GRACE_MS).agg(n=Count(), total=Sum("amount")).to(results)
