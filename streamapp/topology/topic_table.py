"""Topics whose records are the updates of tables, to be joined."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Protocol, cast

from streamapp.joins import ForeignKeyJoin, How, Joined, StreamTableJoin, TableTableJoin
from streamapp.runtime.inputs import Input
from streamapp.topology.base import JoiningApp
from streamapp.topology.declaration import Duration, JoinDeclaration, checked, declare, milliseconds, named, one_of
from streamapp.topology.foreign_key import ForeignKeyDeclaration
from streamapp.topology.processor import JoinError

if TYPE_CHECKING:
    from streamapp.joins.foreign_key import ForeignKeyOf

__all__ = ["TopicTable"]


class Source(Protocol):
    """A topic, as far as a table is made of it."""

    app: JoiningApp

    def source(self, number: int) -> Input:
        """Take the topic for the source of a join with this number."""
        ...


@dataclasses.dataclass(frozen=True)
class TopicTable:
    """A topic whose records are the updates of a table; made by `Topic.table`, which has the settings (ms)."""

    topic: Source
    ttl: int = 0
    history: int | None = None
    name: str = ""

    def source(self, number: int) -> Input:
        """Take the table for the source of a join with this number."""
        return self.topic.source(number)._replace(table=self.name)

    def join(
        self,
        other: TopicTable,
        *,
        foreign_key: ForeignKeyOf | None = None,
        how: How | str = How.INNER,
        name: str | None = None,
    ) -> JoinDeclaration[Joined]:
        """Join the rows of this table with those of another one: the results are the updates of the joined table.

        Args:
            other: the other table.
            foreign_key: gives the key of the row of the other table that a record of this one names; None = the row
                with the same key. The topics then need not have equally many partitions.
            how: inner, left, right or outer; by a foreign key inner or left.
            name: of the join, by default made of the topics' names; its state is kept under it.

        Raises:
            JoinError: for arguments that do not go together.
        """
        if self.ttl or other.ttl:
            raise JoinError("rows of a table that is joined with another table have no ttl")
        if foreign_key is not None:
            if self.history is not None or other.history is not None:
                raise JoinError("tables that are joined by a foreign key have no history")
            found = checked(ForeignKeyJoin, foreign_key=foreign_key, how=one_of(How, how, "how"))
            left, right = self.source(0), other.source(1)
            name = name or named([left, right], self.topic.app.settings.topic_prefix)
            return cast(JoinDeclaration[Joined], ForeignKeyDeclaration(self.topic.app, name, left, right, found))
        join = checked(
            TableTableJoin, how=one_of(How, how, "how"), left_history=self.history, right_history=other.history
        )
        return declare(self.topic.app, name, join, self.source(0), other.source(1))

    def looked_up(self, how: How, grace: Duration | None) -> StreamTableJoin:
        """Return the join of a stream with the table."""
        return checked(
            StreamTableJoin,
            how=how,
            ttl=self.ttl,
            history=self.history,
            grace=None if grace is None else milliseconds(grace),
            kept=int(self.topic.app.settings.keep_expired * 1000),
        )
