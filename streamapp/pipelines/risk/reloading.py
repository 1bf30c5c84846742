"""Files that are taken again when they have changed: what cannot be used is refused, and what was there stays."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeAlias, TypeVar

from streamapp.errors import StreamappError

__all__ = ["CHECK_S", "Reloaded"]

T = TypeVar("T")
#: Time of the last change (ns), size, inode: a file that was replaced differs in one of them.
Stamp: TypeAlias = tuple[int, int, int]

#: How often (s) it is to be looked whether a file has changed.
CHECK_S: Final = 1.0

log = logging.getLogger(__name__)


class Reloaded(Generic[T]):
    """What is in a file, as of its last version that could be used.

    Args:
        what: what that is, for people.
        path: the file.
        load: reads it, or raises a `StreamappError`.

    Raises:
        StreamappError: if there is no such file.
    """

    def __init__(self, what: str, path: Path, load: Callable[[Path], T]) -> None:
        self._what, self._path, self._load = what, path, load
        #: None: no version of it could be used so far.
        self.current: T | None = None
        #: What is wrong with the file as it is, in one line; empty = nothing.
        self.problem = ""
        #: How many versions were taken, and how many refused.
        self.taken = self.refused = 0
        stamp = self._stamp()
        if stamp is None:
            raise StreamappError(f"{path}: there is no such file")
        self._seen: Stamp | None = stamp
        self._take()

    async def check(self) -> None:
        """Take the file if it has changed."""
        stamp = self._stamp()
        if stamp == self._seen:
            return
        self._seen = stamp
        if stamp is None:
            self._refuse(f"{self._path}: there is no such file any more")
        else:
            await asyncio.to_thread(self._take)

    def _take(self) -> None:
        try:
            found = self._load(self._path)
        except StreamappError as exc:
            self._refuse(str(exc))
            return
        self.current, self.problem = found, ""
        self.taken += 1
        log.info("The %s is that of %s: %s", self._what, self._path, found)

    def _refuse(self, error: str) -> None:
        stays = "the one from before stays" if self.current is not None else "there is none"
        self.problem = f"the {self._what} cannot be used, {stays}: {error}"
        self.refused += 1
        log.error("%s%s", self.problem[:1].upper(), self.problem[1:])

    def _stamp(self) -> Stamp | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
