"""A stream-stream join: purchases with views of the same time, in RocksDB with a changelog."""

import os

from streamapp import App

PURCHASES, VIEWS, JOINED = os.environ["PURCHASES"], os.environ["VIEWS"], os.environ["JOINED"]
WINDOW_MS, GRACE_MS = int(os.environ["WINDOW_MS"]), int(os.environ["GRACE_MS"])

app = App(origin="pairs")
purchases, views = app.topic(PURCHASES), app.topic(VIEWS)
purchases.join(views, before=WINDOW_MS, after=WINDOW_MS, grace=GRACE_MS).to(app.sink(JOINED))
