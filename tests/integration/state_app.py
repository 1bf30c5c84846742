"""An app with a join and windows of the same topic, whose state is looked at."""

from __future__ import annotations

from streamapp import App
from streamapp.windows import Count, tumbling

app = App(origin="state_app")
clicks = app.topic("clicks")
clicks.join(app.topic("profiles").table(), how="left", name="named").to(app.sink("named"))
clicks.window(tumbling("1m"), grace="10s", name="minutes").agg(n=Count()).to(app.sink("minutes"))
