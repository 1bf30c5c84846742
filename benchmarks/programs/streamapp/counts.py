"""Transactions counted by IP: in the minutes of event time, told at each change; or each with those of its last one."""

import os

from streamapp import App
from streamapp.windows import Count, Emission, tumbling

SIZE_MS, GRACE_MS = (int(os.environ[name]) for name in ("SIZE_MS", "GRACE_MS"))

app = App(origin="counts")
transactions = app.topic(os.environ["TRANSACTIONS"])
results = app.sink(os.environ["RESULTS"])
if os.environ["COUNTED"] == "each":
    transactions.enrich(n=Count(over=SIZE_MS, by="ip"), grace=GRACE_MS).to(results)
else:
    minutes = transactions.window(tumbling(SIZE_MS), by="ip", grace=GRACE_MS, emission=Emission.UPDATES)
    minutes.agg(n=Count()).to(results)
