"""What is wrong with a new start."""

from __future__ import annotations

__all__ = ["ResetError"]


class ResetError(Exception):
    """A new start that cannot be; the text is one line that says why."""
