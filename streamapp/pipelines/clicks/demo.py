"""Clicks, as the demo shows them."""

from __future__ import annotations

from typing import Final

from streamapp.joins import How
from streamapp.pipelines.clicks.settings import CLICKS, JOINED, UNMATCHED, ClickSettings
from streamapp.pipelines.demonstrated import Counts, Demonstrated, Measured

__all__ = ["demonstrated"]

TRAFFIC: Final = ("--users", "1000", "--late-share", "0.02", "--bad-share", "0.01", "--unmatched-share", "0.05")


def demonstrated(settings: ClickSettings) -> Demonstrated:
    """Return how clicks are shown; this join has no grace, so none is too late for it."""

    def counts(measured: Measured) -> Counts:
        clicks, joined, unmatched = (measured.topics[name] for name in (CLICKS, JOINED, UNMATCHED))
        if settings.join is How.LEFT:  # a left join emits the unmatched ones as well
            joined -= unmatched
        named = {"clicks": clicks, "joined": joined, "unmatched": unmatched}
        return Counts(records=clicks, results=joined + unmatched, rejected=measured.rejected, named=named)

    def shown(value: bytes) -> bytes:
        from streamapp.pipelines.clicks.formats import Sides  # with all that an app needs

        return Sides.of(settings).formats()[JOINED].to_json(value)

    return Demonstrated(TRAFFIC, "--clicks", 500, (CLICKS, JOINED, UNMATCHED), JOINED, counts, shown)
