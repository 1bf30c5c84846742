"""What is wrong with a new start."""

from __future__ import annotations

from streamapp.errors import StreamappError

__all__ = ["ResetError"]


class ResetError(StreamappError):
    """A new start that cannot be; the text is one line that says why."""
