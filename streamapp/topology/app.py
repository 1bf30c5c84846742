"""The app whose topics can be joined."""

from __future__ import annotations

from typing import Any

from streamapp.settings import Settings
from streamapp.topology.base import JoiningApp
from streamapp.topology.decoding import decoder
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
            type: what the JSON of a value must be, for msgspec, if it is to be joined, and what functions get; None =
                anything.
            options: those of `streamapp.worker.app.App.topic`, and of Faust's.
        """
        topic: Topic = super().topic(*topics, **options)
        if type is not None:
            topic.check = topic.decoded_by = decoder(type)
        return topic
