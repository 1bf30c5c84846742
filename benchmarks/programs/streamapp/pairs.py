"""A stream-stream join: purchases with views of the same time, in RocksDB with a changelog."""

import os

from streamapp.settings import Settings
from streamapp.topology import App
from streamapp.worker.process import Worker

WINDOW, GRACE = (int(os.environ[name]) for name in ("WINDOW_MS", "GRACE_MS"))

app = App(Settings.load(), origin="pairs", Worker=Worker)
purchases, views = app.topic("purchases"), app.topic("views")
purchases.join(views, before=WINDOW, after=WINDOW, grace=GRACE).to(app.sink("joined_data"))
