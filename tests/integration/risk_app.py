"""The app of this repository, with an end at a step of a commit that the environment names (``DIES_AT``)."""

from __future__ import annotations

import os
import signal

from commit_steps import end_at

from streamapp.app import app

__all__ = ["app"]

if step := os.environ.get("DIES_AT"):
    end_at(step, signal.SIGKILL)
