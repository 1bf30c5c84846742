"""What can be wrong with a store, told apart by what a worker does about it."""

from __future__ import annotations

from streamapp.errors import StreamappError

__all__ = ["StateError", "StoreBehindError", "StoreError", "StoreUnreachableError"]


class StoreError(StreamappError):
    """A store that cannot be used: the worker stops. Its text is one line that says which store and why."""


class StateError(StoreError):
    """A state that does not go with what is declared, or with the offsets that are committed: the worker stops."""


class StoreUnreachableError(ConnectionError):
    """A store that does not answer for now: what was asked of it is asked again later."""


class StoreBehindError(Exception):
    """A store whose rows are no longer those that this worker left: they are read from the changelog again."""
