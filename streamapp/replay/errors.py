"""What can be wrong with a file to replay."""

from __future__ import annotations

from streamapp.errors import StreamappError

__all__ = ["ReplayError"]


class ReplayError(StreamappError):
    """A file that cannot be replayed; its text is one line that says which, where and why."""
