"""What is told of a store that does not go with its changelog: why it is cleared, and what the table has lost."""

from __future__ import annotations

import dataclasses
from typing import Final

from faust.types import TP

from streamapp.stores.standing import Changelog, Fit, Standing

__all__ = ["Misfit"]

#: Seconds of what ages are told in.
UNITS_S: Final = ((86_400, "days"), (3_600, "hours"), (60, "minutes"), (1, "seconds"))


@dataclasses.dataclass(frozen=True)
class Misfit:
    """A store that cannot be read on from where it is, but from the beginning of its changelog."""

    tp: TP
    fit: Fit
    #: Of the store.
    offset: int | None
    standing: Standing
    changelog: Changelog

    def __str__(self) -> str:
        """Return why the store is cleared."""
        changes = f"{self.changelog.end - self.changelog.begin:,}"
        return (
            f"The store of {self._where} is complete up to {self.offset}, but {self._why}; the store is cleared and "
            f"restored, from at most {changes} changelog records"
        )

    @property
    def _where(self) -> str:
        return f"{self.tp.topic}[{self.tp.partition}]"

    @property
    def _why(self) -> str:
        match self.fit:
            case Fit.TOO_OLD:
                return (
                    f"it was in step with the changelog {self._age}, longer than tombstones are sure to stay there "
                    "(delete.retention.ms), so rows may have been deleted since of which nothing tells any more"
                )
            case Fit.HEAD_GONE:
                return f"the changelog begins at {self.changelog.begin}: changes in between, deletions too, are gone"
            case Fit.TAIL_GONE:
                return f"the changelog ends at {self.changelog.end}: the topic was made anew, or has lost records"
            case _:
                return (
                    f"the changelog was deleted and made anew (id {self.standing.topic_id}, now "
                    f"{self.changelog.topic_id}), and what it has by now counts"
                )

    @property
    def _age(self) -> str:
        # Only stores of which it is known are too old.
        seconds = (self.changelog.asked_ms - (self.standing.in_step_ms or 0)) / 1000
        unit, name = next((unit, name) for unit, name in UNITS_S if abs(seconds) >= unit or unit == 1)
        when = "ago" if seconds >= 0 else "in the future, by its clock"
        return f"{abs(seconds) / unit:,.1f} {name} {when}"

    @property
    def lost(self) -> int:
        """How many changes of the table are gone, at most."""
        lost = max(0, self.changelog.begin - (self.offset or 0) if self.fit is Fit.HEAD_GONE else self.changelog.begin)
        return lost + (max(0, (self.offset or 0) - self.changelog.end) if self.fit is Fit.TAIL_GONE else 0)

    @property
    def loss(self) -> str:
        """What the table has lost."""
        if self.fit is Fit.TAIL_GONE:
            gone = f"ends at offset {self.changelog.end}, and the table had changes up to {self.offset}"
        else:
            gone = f"begins at offset {self.changelog.begin}: what was before it was deleted"
        return (
            f"{self._where}: the changelog {gone}; {self.lost:,} changes at most are gone, and with them rows of the "
            "table that have not changed since (is its cleanup.policy compact?)"
        )
