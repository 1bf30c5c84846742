"""The app of this repository, with an option that is none of its settings: for measurements only."""

from __future__ import annotations

import os

from streamapp.app import app

__all__ = ["app"]

app.conf.producer_max_batch_size = int(os.environ["BATCH_SIZE"])
