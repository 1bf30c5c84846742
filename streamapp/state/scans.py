"""Scans: rows of a partition read page by page from one snapshot, so that no join waits for it.

A page is read in a thread, some rows at a time; then the thread rests three times as long as it has read, for the
interpreter's lock goes to one thread at a time: a worker that is busy has three quarters of it left. A scan that nobody
goes on with is over after a while, and the scans at once are bounded: for a snapshot a store keeps what was changed
since. So is what waits for the thread: each scan waits once, and a page whose time is up while it waits has some rows
only.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from operator import attrgetter
from typing import Final, NamedTuple, TypeVar
from uuid import uuid4

from streamapp.conditions import condition
from streamapp.state.question import Question
from streamapp.state.rows import AsJson, ShownRow, matching
from streamapp.stores.snapshot import ClosedError, Snapshot

__all__ = ["AT_ONCE", "IDLE_S", "Page", "Scan", "ScanGoneError", "Scans", "TooManyScansError", "read_page"]

T = TypeVar("T")

#: Scans of a worker at once.
AT_ONCE: Final = 16
#: Seconds after which a scan that nobody goes on with is over.
IDLE_S: Final = 60.0
#: Seconds for which one is left alone, even if another one could take its place.
SPARED_S: Final = 10.0
#: Rows that are read without a rest: some 0.2 ms.
PIECE_ROWS: Final = 100
#: How long the thread rests, as a multiple of the time that it has read, and at least (s).
REST: Final = 3.0
LEAST_REST_S: Final = 0.0002


class ScanGoneError(Exception):
    """A scan that is no more: nobody went on with it, its partition went to another worker, or the worker was started
    again."""


class TooManyScansError(Exception):
    """More is asked for at once than may be; its text says of what."""


class Page(NamedTuple):
    """What was read of a partition."""

    rows: list[ShownRow]
    #: How many rows were looked at, and how many of them were asked for.
    seen: int
    found: int
    #: Where the next page begins; None = all is read.
    position: bytes | None
    #: Whether the time was up.
    timed_out: bool


class Scan:
    """One partition, as it was when the scan began.

    Args:
        snapshot: of it.
        question: which rows are asked for.
        partition: its number.
        as_json: makes JSON of a row's value; None = it is JSON.
        as_text: makes text of a row's key; None = it is text.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        question: Question,
        partition: int = 0,
        as_json: AsJson = None,
        as_text: Callable[[bytes], bytes] | None = None,
    ) -> None:
        self.id = uuid4().hex[:12]
        self.snapshot = snapshot
        self.question = question
        self.partition = partition
        self.as_json = as_json
        self.as_text = as_text
        self.holds = condition(question.where) if question.where else None
        #: When a page was read last (monotonic, s), and whether one is being read, or waits for that.
        self.used = time.monotonic()
        self.busy = False


class Scans:
    """Those of a worker; all methods are called in its event loop."""

    def __init__(self, at_once: int = AT_ONCE, idle: float = IDLE_S, spared: float = SPARED_S) -> None:
        self._at_once, self._idle, self._spared = at_once, idle, spared
        self._scans: dict[str, Scan] = {}
        #: How many are about to begin.
        self._beginning = 0
        # One thread: two would take turns at the interpreter's lock, and the joins would come third.
        self._thread = ThreadPoolExecutor(1, "streamapp-scan")

    async def begin(
        self,
        question: Question,
        partition: int,
        snapshot: Callable[[], Snapshot],
        as_json: AsJson = None,
        as_text: Callable[[bytes], bytes] | None = None,
    ) -> Scan:
        """Begin to scan a partition, of which `snapshot` makes one; the others are those of `Scan`.

        Raises:
            TooManyScansError: if there are as many as there may be.
            ConditionError: for a condition that is none.
            ClosedError: if the partition went away meanwhile.
        """
        if question.where:
            condition(question.where)
        self._make_room()
        self._beginning += 1
        try:
            scan = Scan(await self._in_thread(snapshot), question, partition, as_json, as_text)
        finally:
            self._beginning -= 1
        self._scans[scan.id] = scan
        self._watch(scan)
        return scan

    def go_on(self, scan_id: str, question: Question, partition: int) -> Scan:
        """Return a scan of a question in a partition; a ScanGoneError if it is no more."""
        scan = self._scans.get(scan_id)
        if scan is None or (scan.question, scan.partition) != (question, partition):
            raise ScanGoneError
        return scan

    async def read(self, scan: Scan, position: bytes, limit: int, until: float, *, counting: bool) -> Page:
        """Read a page; the scan is over with the last one.

        Args:
            scan: to go on with.
            position: where the page begins; b"" = at the beginning.
            limit: rows of a page, at most.
            until: when (monotonic, s) it ends.
            counting: whether rows are only counted, however many.

        Raises:
            ScanGoneError: if the partition went away.
            TooManyScansError: if another page of the scan is being read.
            PositionError: for a position that is none.
        """
        if scan.busy:
            raise TooManyScansError("another page of this scan is being read")
        scan.busy = True
        try:
            page = await self._in_thread(partial(read_page, scan, position, limit, until, counting))
        except ClosedError:
            self.end(scan)
            raise ScanGoneError from None
        finally:
            scan.busy, scan.used = False, time.monotonic()
        if page.position is None:
            self.end(scan)
        return page

    def end(self, scan: Scan) -> None:
        """Let go of a scan; in the thread, since to close a snapshot takes its time."""
        if self._scans.pop(scan.id, None) is not None:
            self._thread.submit(scan.snapshot.close)

    def _make_room(self) -> None:
        """Make sure that one more may begin, in place of the one that nobody goes on with for the longest time."""
        if len(self._scans) + self._beginning < self._at_once:
            return
        left = [scan for scan in self._scans.values() if not scan.busy and scan.used + self._spared <= time.monotonic()]
        if not left:
            raise TooManyScansError("as many scans as may be are under way here")
        self.end(min(left, key=attrgetter("used")))

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    def _watch(self, scan: Scan) -> None:
        """End a scan that nobody has gone on with for so long."""
        if self._scans.get(scan.id) is not scan:
            return
        left = self._idle if scan.busy else scan.used + self._idle - time.monotonic()
        if left > 0:
            asyncio.get_running_loop().call_later(left, self._watch, scan)
        else:
            self.end(scan)


def read_page(
    scan: Scan, position: bytes, limit: int, until: float, counting: bool, piece_rows: int = PIECE_ROWS
) -> Page:
    """Read a page in this thread, with rests; see `Scans.read`.

    Raises:
        ClosedError: if the partition went away.
        PositionError: for a position that is none.
    """
    snapshot, question, holds, as_text = scan.snapshot, scan.question, scan.holds, scan.as_text
    #: Whether rows come in the order in which keys are asked for.
    ordered = snapshot.ordered and as_text is None
    rows: list[ShownRow] = []
    found = seen = 0
    here: bytes | None = position or snapshot.begin(question.first if as_text is None else b"")
    while here is not None:
        began = time.perf_counter()
        read, following = snapshot.read(here, piece_rows)
        if ordered and read and question.ends_before(read[-1][0]):
            following = None
        named = read if as_text is None else [(as_text(key), row) for key, row in read]
        counts = [count for count, (key, _) in enumerate(named, 1) if question.has(key)]
        asked = [named[count - 1] for count in counts]
        if counting:
            found += len(asked) if holds is None else sum(1 for _ in matching(asked, holds, scan.as_json))
        else:
            for place, row in matching(asked, holds, scan.as_json):
                rows.append(row)
                found += 1
                if len(rows) == limit:
                    count = counts[place - 1]
                    if count < len(read):
                        following = snapshot.after(here, count, read[count - 1][0])
                    return Page(rows, seen + count, found, following, False)
        seen, here = seen + len(read), following
        if here is not None and time.monotonic() > until:
            return Page(rows, seen, found, here, True)
        time.sleep(max(LEAST_REST_S, REST * (time.perf_counter() - began)))
    return Page(rows, seen, found, None, False)
