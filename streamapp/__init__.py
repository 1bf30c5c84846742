"""Stream joins for Kafka with Faust agents and tables: correct, lossless, fast.

`App` is what an app is made of. All names are imported when they are asked for: `streamapp.joins` needs neither Faust
nor Kafka.
"""

from __future__ import annotations

import gc
import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from streamapp.application import App
    from streamapp.errors import StreamappError
    from streamapp.functions import Context, Timer, TypedRecord
    from streamapp.joins import Clock, Enriched, How, Joined, Record, Refused, Row
    from streamapp.runtime.batch import Batch
    from streamapp.settings import Settings
    from streamapp.topology import JoinError, Topic

__all__ = [
    "App",
    "Batch",
    "Clock",
    "Context",
    "Enriched",
    "How",
    "JoinError",
    "Joined",
    "Record",
    "Refused",
    "Row",
    "Settings",
    "StreamappError",
    "Timer",
    "Topic",
    "TypedRecord",
    "__version__",
]

__version__ = "0.1.0"

#: The module that has each name.
MODULES: Final = {
    "App": "streamapp.application",
    "Batch": "streamapp.runtime.batch",
    "JoinError": "streamapp.topology",
    "Settings": "streamapp.settings",
    "StreamappError": "streamapp.errors",
    "Topic": "streamapp.topology",
    **dict.fromkeys(("Context", "Timer", "TypedRecord"), "streamapp.functions"),
    **dict.fromkeys(("Clock", "Enriched", "How", "Joined", "Record", "Refused", "Row"), "streamapp.joins"),
}


def __getattr__(name: str) -> object:
    if name in MODULES:
        found: object = getattr(importlib.import_module(MODULES[name]), name)
        return found
    # `faust -A streamapp` looks for this repository's app here, which is made only when it is asked for.
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
