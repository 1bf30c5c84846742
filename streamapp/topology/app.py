"""The app whose topics can be joined."""

from __future__ import annotations

from typing import Any, TypeVar, cast

from streamapp.joins import Join
from streamapp.settings import Settings
from streamapp.topology.base import JoiningApp
from streamapp.topology.declaration import Declaration, SinkLike
from streamapp.topology.decoding import decoder
from streamapp.topology.foreign_key import ForeignKeyDeclaration
from streamapp.topology.hop import Hop, name_of
from streamapp.topology.operators import Operators, OperatorsDeclaration
from streamapp.topology.processor import JoinError
from streamapp.topology.roots import Results
from streamapp.topology.side_outputs import by_reason
from streamapp.topology.stream import Stream
from streamapp.topology.topic import Topic
from streamapp.topology.windowing import WindowDeclaration, result_values
from streamapp.windows.aggregate import Form
from streamapp.windows.enrichment import Enrichment

__all__ = ["App"]

R = TypeVar("R")


class App(JoiningApp):
    """A Faust app made from settings, whose topics can be joined.

    Args:
        settings: where the broker is, how tables are kept, and so on.
        options: further options of `faust.App`.
    """

    def __init__(self, settings: Settings, **options: object) -> None:
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

    def topic(self, *topics: str, type: Form = None, **options: Any) -> Topic:  # noqa: A002
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

    def operators(self, name: str, join: Join[R], topic: Topic, **sides: SinkLike) -> Operators[R]:
        """Return the operators of a join or of windows of the library, for an agent that runs them by hand.

        Args:
            name: of the table that their state is in.
            join: what they do.
            topic: whose batches the agent gets.
            sides: topics for records that are not used, as in a join's `to`: late, rejected and so on. Without one
                those that cannot be used go to the dead letters.

        Raises:
            JoinError: if there is a table of this name already.
        """
        outputs = by_reason({side: self.sink(output) for side, output in sides.items()})
        if isinstance(join, Enrichment) and join.further:
            keys = " and ".join(further.name for further in join.further)
            self.single(topic, f"the features by {keys} of the operator {name} are of one partition")
        return cast(Operators[R], OperatorsDeclaration(self, name, join, [topic.source(0)]).processor(outputs))

    def hop(self, topic: Topic, by: str) -> Hop:
        """Return an internal topic by which the agent of a topic hands records on to another agent, by other keys.

        Args:
            topic: whose batches the first agent gets.
            by: what the records are keyed by, a part of the internal topic's name.

        Raises:
            JoinError: if the topic is written once more by that already.
        """
        return Hop(self, topic.name, by)

    def no_hop(self, topic: Topic, by: str, instead: str) -> None:
        """Declare that what a hop was for is done without one; records that are left in its topic stop the start.

        Args:
            topic: whose batches the first agent got.
            by: as of the `hop`.
            instead: with which setting there is the hop.
        """
        self.declared.left[name_of(self.settings.id, topic.name, by)] = instead

    def single(self, topic: Topic, why: str) -> None:
        """Declare that a topic may have one partition only, as it gets if it is made; why, as a worker says it else."""
        self.declared.single[topic.name] = why

    def results(self, of: Declaration[R], **sides: SinkLike) -> Topic:
        """Return the results of a join or of windows as a stream, which can be joined and windowed again.

        Functions get records whose values are the results: such as `Joined`, and of windows what their JSON has.

        Args:
            of: what is declared; it becomes a part of the app once the stream goes somewhere.
            sides: topics for records that are not matched, as in its `to`: unmatched, late and so on.

        Raises:
            JoinError: if it is a foreign-key join, or has no name.
        """
        if isinstance(of, ForeignKeyDeclaration):
            raise JoinError("the results of a foreign-key join go to a topic, .to(…); a stream can go on from there")
        if not of.name:
            raise JoinError("windows whose results go on have a name of their own: .window(…, name=…)")
        outputs = by_reason({name: self.sink(side) for name, side in sides.items()})
        encode = result_values(of) if isinstance(of, WindowDeclaration) else None
        return self.topic(of.name).begun(Results(of, outputs, encode=encode))
