"""Pages of a scan are together what a plain list of the rows would be, each row once, at the snapshot."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamapp.formats import Avro, MessagePack
from streamapp.formats.keys import Keys
from streamapp.joins import Row
from streamapp.state.question import Cursor, CursorError, Question
from streamapp.state.scans import Scan, ScanGoneError, Scans, TooManyScansError, read_page
from streamapp.stores.memory import MemoryPartition, MemorySnapshot
from streamapp.stores.partition import PartitionStore
from streamapp.stores.rocksdb import RocksDBPartition, shared

STORES: dict[str, Callable[[Path], PartitionStore]] = {
    "memory": lambda _: MemoryPartition(),
    "rocksdb": lambda directory: RocksDBPartition(directory / "db", shared(8 << 20)),
}
KEYS = st.binary(max_size=3)
QUESTION = Question(table="t")
#: A page whose time is never up.
FAR = math.inf
ROWS = st.dictionaries(KEYS, st.integers(0, 9), max_size=40)
QUESTIONS = st.builds(
    Question,
    table=st.just("t"),
    prefix=st.sampled_from([b"", b"\x00", b"a", b"\xff", b"\xff\xff"]),
    start=KEYS,
    stop=st.none() | KEYS,
    where=st.sampled_from(["", "n > 4", "n < 0"]),
)


def rows_of(numbers: dict[bytes, int]) -> dict[bytes, Row]:
    return {key: Row(b'{"n":%d}' % number, number) for key, number in numbers.items()}


def asked(question: Question, numbers: dict[bytes, int]) -> list[int]:
    """What a plain look at all rows finds: the numbers of the rows that are asked for."""
    stop = b"\xff" * 10 if question.stop is None else question.stop
    return sorted(
        number
        for key, number in numbers.items()
        if key.startswith(question.prefix)
        and question.start <= key < stop
        and (question.where != "n > 4" or number > 4)
        and question.where != "n < 0"
    )


@pytest.mark.parametrize("kind", STORES)
def test_pages_are_what_a_look_at_all_rows_finds_whatever_is_written_amid_them(kind: str) -> None:
    @settings(max_examples=80, deadline=None)
    @given(ROWS, ROWS, QUESTIONS, st.integers(1, 7), st.integers(1, 5))
    def same(before: dict[bytes, int], amid: dict[bytes, int], question: Question, limit: int, piece: int) -> None:
        with TemporaryDirectory() as directory:
            store = STORES[kind](Path(directory))
            store.write(rows_of(before), 1)
            scan, position, found = Scan(store.snapshot(), question), b"", list[int]()
            store.write(dict.fromkeys(list(before)[::2]), 2)
            while True:
                page = read_page(scan, position, limit, FAR, counting=False, piece_rows=piece)
                assert len(page.rows) == page.found <= limit
                found += [row.time for row in page.rows]
                if page.position is None:
                    break
                position = page.position
                store.write(rows_of(amid), 3)
            assert sorted(found) == asked(question, before)
            again = Scan(store.snapshot(), question)
            counted = read_page(again, b"", limit, FAR, counting=True, piece_rows=piece).found
            assert counted == len(asked(question, now(store)))
            scan.snapshot.close()
            again.snapshot.close()
            store.close()

    same()


def now(store: PartitionStore) -> dict[bytes, int]:
    return {key: row.timestamp for key, row in store.items()}


def test_a_page_ends_when_its_time_is_up_and_goes_on_from_there() -> None:
    store = MemoryPartition()
    store.write(rows_of({b"%d" % number: number for number in range(50)}), 1)
    scan = Scan(store.snapshot(), Question(table="t", where="n < 0"))
    page = read_page(scan, b"", 10, 0, counting=False, piece_rows=7)
    assert (page.timed_out, page.seen, page.rows) == (True, 7, [])
    assert page.position is not None
    rest = read_page(scan, page.position, 10, FAR, counting=False, piece_rows=7)
    assert (rest.timed_out, rest.seen, rest.position) == (False, 43, None)


def memory() -> MemoryPartition:
    store = MemoryPartition()
    store.write(rows_of({b"%d" % number: number for number in range(10)}), 1)
    return store


def test_a_page_is_read_again_from_its_cursor() -> None:
    async def read_twice() -> None:
        scans = Scans()
        scan = await scans.begin(QUESTION, 0, memory().snapshot)
        first = await scans.read(scan, b"", 4, FAR, counting=False)
        assert first.position is not None
        pages = [
            await scans.read(scans.go_on(scan.id, QUESTION, 0), first.position, 4, FAR, counting=False)
            for _ in range(2)
        ]
        assert pages[0] == pages[1]

    asyncio.run(read_twice())


def test_a_scan_is_over_with_its_last_page() -> None:
    async def read() -> None:
        scans = Scans()
        scan = await scans.begin(QUESTION, 0, memory().snapshot)
        await scans.read(scan, b"", 100, FAR, counting=False)
        with pytest.raises(ScanGoneError):
            scans.go_on(scan.id, QUESTION, 0)

    asyncio.run(read())


def test_a_scan_whose_partition_is_closed_is_gone() -> None:
    async def read() -> None:
        scans, store = Scans(), memory()
        scan = await scans.begin(QUESTION, 0, store.snapshot)
        store.close()
        with pytest.raises(ScanGoneError):
            await scans.read(scan, b"", 4, FAR, counting=False)

    asyncio.run(read())


def test_there_are_not_more_scans_at_once_than_may_be() -> None:
    async def begin() -> None:
        scans, store = Scans(at_once=2), memory()
        for _ in range(2):
            await scans.begin(QUESTION, 0, store.snapshot)
        with pytest.raises(TooManyScansError):
            await scans.begin(QUESTION, 0, store.snapshot)

    asyncio.run(begin())


def test_a_scan_that_nobody_goes_on_with_makes_room_for_another_one() -> None:
    async def begin() -> None:
        scans, store = Scans(at_once=1, spared=0), memory()
        first = await scans.begin(QUESTION, 0, store.snapshot)
        second = await scans.begin(QUESTION, 0, store.snapshot)
        assert scans.go_on(second.id, QUESTION, 0) is second
        with pytest.raises(ScanGoneError):
            scans.go_on(first.id, QUESTION, 0)

    asyncio.run(begin())


def test_a_forgotten_scan_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    async def begin() -> None:
        scans, ended = Scans(idle=0.01), threading.Event()
        scan = await scans.begin(QUESTION, 0, memory().snapshot)
        monkeypatch.setattr(scan.snapshot, "close", ended.set)
        assert await asyncio.to_thread(ended.wait, 30)
        with pytest.raises(ScanGoneError):
            scans.go_on(scan.id, QUESTION, 0)

    asyncio.run(begin())


class Held:
    """Makes snapshots that are read once they may be."""

    def __init__(self) -> None:
        self.store, self.may, self.begun = memory(), threading.Event(), threading.Event()

    def snapshot(self) -> MemorySnapshot:
        self.begun.set()
        assert self.may.wait(30)
        return self.store.snapshot()


def test_scans_that_begin_at_once_are_not_more_than_may_be() -> None:
    async def begin() -> None:
        scans, held = Scans(at_once=2), Held()
        beginning = [asyncio.create_task(scans.begin(QUESTION, 0, held.snapshot)) for _ in range(5)]
        assert await asyncio.to_thread(held.begun.wait, 30)
        held.may.set()
        found = await asyncio.gather(*beginning, return_exceptions=True)
        assert [isinstance(one, TooManyScansError) for one in found] == [False, False, True, True, True]

    asyncio.run(begin())


def test_a_scan_that_waits_for_its_page_is_not_ended_in_favour_of_another_one() -> None:
    async def read() -> None:
        scans, store, held = Scans(at_once=2, spared=0, idle=0.01), memory(), Held()
        scan = await scans.begin(QUESTION, 0, store.snapshot)
        before = asyncio.create_task(scans.begin(QUESTION, 0, held.snapshot))
        page = asyncio.create_task(scans.read(scan, b"", 4, FAR, counting=False))
        over = asyncio.Event()
        asyncio.get_running_loop().call_later(0.05, over.set)  # longer than it may be idle
        await over.wait()
        with pytest.raises(TooManyScansError):
            await scans.begin(QUESTION, 0, store.snapshot)
        held.may.set()
        assert len((await page).rows) == 4
        await before

    asyncio.run(read())


def test_of_a_scan_one_page_is_read_at_a_time() -> None:
    async def read() -> None:
        scans, held = Scans(), Held()
        scan = await scans.begin(QUESTION, 0, memory().snapshot)
        before = asyncio.create_task(scans.begin(QUESTION, 0, held.snapshot))
        assert await asyncio.to_thread(held.begun.wait, 30)
        page = asyncio.create_task(scans.read(scan, b"", 4, FAR, counting=False))
        await asyncio.sleep(0)
        with pytest.raises(TooManyScansError, match="another page of this scan"):
            await scans.read(scan, b"", 4, FAR, counting=False)
        held.may.set()
        await asyncio.gather(page, before)

    asyncio.run(read())


def test_a_page_whose_time_is_up_while_it_waits_has_some_rows_and_goes_on() -> None:
    async def read() -> None:
        scans, store = Scans(), MemoryPartition()
        store.write(rows_of({b"%d" % number: number for number in range(500)}), 1)
        scan = await scans.begin(QUESTION, 0, store.snapshot)
        page = await scans.read(scan, b"", 1_000, -math.inf, counting=False)
        assert (page.timed_out, 0 < len(page.rows) < 500) == (True, True)

    asyncio.run(read())


def test_a_snapshot_is_closed_in_the_thread_that_reads_it_and_not_in_the_event_loop() -> None:
    async def end() -> None:
        scans, closed = Scans(), list[str]()
        scan = await scans.begin(QUESTION, 0, memory().snapshot)
        scan.snapshot.close = lambda: closed.append(threading.current_thread().name)  # type: ignore[method-assign]
        scans.end(scan)
        await scans.begin(QUESTION, 0, memory().snapshot)  # behind it
        assert [name.startswith("streamapp-scan") for name in closed] == [True]

    asyncio.run(end())


@pytest.mark.parametrize("partition", [1, 0])
def test_a_scan_goes_on_for_its_own_question_alone(partition: int) -> None:
    async def go_on() -> None:
        scans = Scans()
        scan = await scans.begin(QUESTION, 0, memory().snapshot)
        with pytest.raises(ScanGoneError):
            scans.go_on(scan.id, QUESTION if partition else Question(table="other"), partition)

    asyncio.run(go_on())


CURSORS = st.builds(Cursor, st.just(Question(table="t").digest), st.integers(0, 99), st.text(min_size=1), st.binary())


@given(CURSORS)
def test_a_cursor_is_read_as_it_was_written(cursor: Cursor) -> None:
    assert Cursor.parse(str(cursor), QUESTION, range(100)) == cursor


@given(st.text())
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(CursorError):
        Cursor.parse(text, QUESTION, range(100))


@pytest.mark.parametrize("partition", [-1, 4])
def test_a_cursor_of_a_partition_that_is_not_asked_for_is_refused(partition: int) -> None:
    with pytest.raises(CursorError, match="no cursor"):
        Cursor.parse(str(Cursor(QUESTION.digest, partition)), QUESTION, range(4))


def test_a_cursor_of_another_question_is_refused() -> None:
    cursor = Cursor(Question(table="t").digest, 0)
    with pytest.raises(CursorError, match="of another question"):
        Cursor.parse(str(cursor), Question(table="t", where="n > 1"), range(100))


def test_rows_in_another_format_are_shown_chosen_and_counted_by_their_json() -> None:
    store, as_json = MemoryPartition(), MessagePack().to_json
    values = {b"a": b'{"n":1}', b"b": b'{"n":2}'}
    store.write({key: Row(MessagePack().from_json(value), 5) for key, value in values.items()}, 1)
    store.write({b"c": Row(b"\xc1", 5)}, 2)
    scan = Scan(store.snapshot(), Question(table="t", where="n > 1"), as_json=as_json)
    assert [bytes(row.value) for row in read_page(scan, b"", 10, math.inf, counting=False).rows] == [b'{"n":2}']
    scan = Scan(store.snapshot(), Question(table="t", where="n > 1"), as_json=as_json)
    assert read_page(scan, b"", 10, math.inf, counting=True).found == 1
    scan = Scan(store.snapshot(), Question(table="t", prefix=b"c"), as_json=as_json)
    (broken,) = read_page(scan, b"", 10, math.inf, counting=False).rows
    assert (bytes(broken.value), broken.value_base64) == (b"null", "wQ==")


def test_rows_whose_keys_are_in_a_format_are_chosen_and_shown_by_the_text() -> None:
    keys, store = Keys(Avro("string")), MemoryPartition()
    names = [f"u{number}" for number in range(20)]
    store.write({keys.of(name): Row(b"{}", 5) for name in names}, 1)
    scan = Scan(store.snapshot(), Question(table="t", prefix=b"u1", stop=b"u15"), as_text=keys.text)
    found: list[str] = []
    position = b""
    while True:
        page = read_page(scan, position, 2, math.inf, counting=False, piece_rows=3)
        found += [row.key for row in page.rows]
        if page.position is None:
            break
        position = page.position
    assert sorted(found) == ["u1", "u10", "u11", "u12", "u13", "u14"]
