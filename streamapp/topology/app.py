"""The app whose topics can be joined."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from streamapp.formats.content import json_of
from streamapp.formats.undecodable import Undecodable
from streamapp.formats.value_forms import not_json
from streamapp.joins import Record, Refused
from streamapp.settings import Settings
from streamapp.topology.base import JoiningApp
from streamapp.topology.stream import Stream
from streamapp.topology.topic import Topic

__all__ = ["App"]


class App(JoiningApp):
    """A Faust app made from settings, whose topics can be joined.

    Args:
        settings: where the broker is, how tables are kept, and so on.
        options: further options of `faust.App`.
    """

    def __init__(self, settings: Settings, **options: Any) -> None:
        options = {
            "Topic": Topic,
            "Stream": Stream,
            # By its name, since it knows of more than this package: it makes and checks the topics first.
            "Worker": "streamapp.worker.process:Worker",
            # Faust's own `reset` keeps offsets and changelogs; ours takes its place in the app's command line.
            "autodiscover": ["streamapp.cli.faust_commands"],
            **options,
        }
        super().__init__(settings, **options)

    def topic(self, *topics: str, type: Any = None, **options: Any) -> Topic:  # noqa: A002
        """Declare a topic, which can be joined.

        Args:
            topics: names without the prefix (``STREAMAPP_TOPIC_PREFIX``).
            type: what the JSON of a value must be, for msgspec, if it is to be joined; None = anything.
            options: those of `streamapp.worker.app.App.topic`, and of Faust's.
        """
        topic: Topic = super().topic(*topics, **options)
        topic.check = None if type is None else _check(type)
        return topic


def _check(type_: Any) -> Callable[[Record], None]:
    """Make what refuses records whose value is not JSON of a type; tombstones are not looked at."""
    decode = msgspec.json.Decoder(type_).decode

    def check(record: Record) -> None:
        try:
            if record.value is not None:
                decode(json_of(record))
        except Undecodable as exc:
            raise Refused(str(exc), exc.reason) from None
        except msgspec.ValidationError as exc:
            cause = "missing_field" if "missing required field" in str(exc) else "wrong_type"
            raise Refused(not_json(exc, record.value or b""), cause) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise Refused(not_json(exc, record.value or b""), "not_json") from None

    return check
