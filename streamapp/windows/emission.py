"""When windows give results."""

from __future__ import annotations

import enum

__all__ = ["Emission"]


class Emission(enum.StrEnum):
    """When windows give results; `Windowed.final` tells the two kinds apart."""

    #: One result for each key and window, when the window closes; it is never revised.
    FINAL = "final"
    #: A result each time a record changed a window, which replaces the earlier one of that key and window.
    UPDATES = "updates"
    #: Both.
    BOTH = "both"

    @property
    def final(self) -> bool:
        """Whether a window gives a final result."""
        return self is not Emission.UPDATES

    @property
    def updates(self) -> bool:
        """Whether a window gives updates."""
        return self is not Emission.FINAL
