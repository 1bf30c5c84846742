"""What goes wrong for users, not for us: each error's text is one line that says what, and what to do about it."""

from __future__ import annotations

__all__ = ["ProduceError", "StreamappError"]


class StreamappError(Exception):
    """The root of all of them: a command ends with its text, and without a traceback."""


class ProduceError(StreamappError):
    """Nothing (more) can be sent; its text is one line that says why and what to do."""
