"""An app with windows whose results go on: into other windows, and a join."""

from __future__ import annotations

import os

from streamapp import App
from streamapp.windows import Count, Sum, hopping, session, tumbling

app = App(origin="declared_windows_app")
payments = app.topic("payments")
SIZE = os.environ.get("SIZE", "1m")
minutes = payments.window(tumbling(SIZE), by="ip", grace="10s", idle_timeout=os.environ.get("IDLE_TIMEOUT"))
minutes.agg(n=Count(), total=Sum(os.environ.get("FIELD", "amount"))).to(
    app.sink("ip_minutes"), late=app.sink("late"), rejected=app.sink("rejected")
)

# A window of windows: the results have the key of their records, so they go on without a repartitioning.
hours = app.topic("ip_minutes").window(tumbling("1h"), grace="10s", emission="updates")
hours.agg(most=Count(), total=Sum("total")).to(app.sink("ip_hours"))

hops = payments.window(hopping("1m", "30s"), grace=0, emission="both")
hops.agg(n=Count()).to(app.sink("hops"), bounds="headers", partly_late=app.sink("partly_late"))

visits = payments.window(session("10s"), grace=0, emission="updates", name="visits")
visits.agg(n=Count()).to(app.sink("sessions"), value=lambda result: (result.start, result.end, result.values))

names = app.topic("names")
app.topic("ip_minutes").join(names.table(), name="named").to(app.sink("named"))
