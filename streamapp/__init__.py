"""Stream joins for Kafka with Faust agents and tables: correct, lossless, fast."""

from __future__ import annotations

import gc
from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # `faust -A streamapp` looks for the app here. It is made only when asked for, so that `streamapp.joins` and
    # the others can be imported without Faust and without settings.
    if name == "app":
        gc.disable()  # what is imported stays: to look for garbage in it would take a twentieth of a worker's start
        try:
            from streamapp.app import app
        finally:
            gc.freeze()
            gc.enable()
        globals()["app"] = app
        return app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
