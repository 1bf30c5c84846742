"""Pages of a scan are together what a plain list of the rows would be, each row once, at the snapshot."""

from __future__ import annotations

import asyncio
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
from streamapp.stores.memory import MemoryPartition
from streamapp.stores.partition import PartitionStore
from streamapp.stores.rocksdb import RocksDBPartition, shared

STORES: dict[str, Callable[[Path], PartitionStore]] = {
    "memory": lambda _: MemoryPartition(),
    "rocksdb": lambda directory: RocksDBPartition(directory / "db", shared(8 << 20)),
}
KEYS = st.binary(max_size=3)
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
                page = read_page(scan, position, limit, 10, counting=False, piece_rows=piece)
                assert len(page.rows) == page.found <= limit
                found += [row.time for row in page.rows]
                if page.position is None:
                    break
                position = page.position
                store.write(rows_of(amid), 3)
            assert sorted(found) == asked(question, before)
            again = Scan(store.snapshot(), question)
            counted = read_page(again, b"", limit, 10, counting=True, piece_rows=piece).found
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
    rest = read_page(scan, page.position, 10, 10, counting=False, piece_rows=7)
    assert (rest.timed_out, rest.seen, rest.position) == (False, 43, None)


def memory() -> MemoryPartition:
    store = MemoryPartition()
    store.write(rows_of({b"%d" % number: number for number in range(10)}), 1)
    return store


def test_a_page_is_read_again_from_its_cursor() -> None:
    async def read_twice() -> None:
        scans = Scans()
        scan = await scans.begin(Question(table="t"), memory().snapshot)
        first = await scans.read(scan, b"", 4, 1, counting=False)
        assert first.position is not None
        pages = [await scans.read(scans.go_on(scan.id), first.position, 4, 1, counting=False) for _ in range(2)]
        assert pages[0] == pages[1]

    asyncio.run(read_twice())


def test_a_scan_is_over_with_its_last_page() -> None:
    async def read() -> None:
        scans = Scans()
        scan = await scans.begin(Question(table="t"), memory().snapshot)
        await scans.read(scan, b"", 100, 1, counting=False)
        with pytest.raises(ScanGoneError):
            scans.go_on(scan.id)

    asyncio.run(read())


def test_a_scan_whose_partition_is_closed_is_gone() -> None:
    async def read() -> None:
        scans, store = Scans(), memory()
        scan = await scans.begin(Question(table="t"), store.snapshot)
        store.close()
        with pytest.raises(ScanGoneError):
            await scans.read(scan, b"", 4, 1, counting=False)

    asyncio.run(read())


def test_there_are_not_more_scans_at_once_than_may_be() -> None:
    async def begin() -> None:
        scans, store = Scans(at_once=2), memory()
        for _ in range(2):
            await scans.begin(Question(table="t"), store.snapshot)
        with pytest.raises(TooManyScansError):
            await scans.begin(Question(table="t"), store.snapshot)

    asyncio.run(begin())


def test_a_scan_that_nobody_goes_on_with_makes_room_for_another_one() -> None:
    async def begin() -> None:
        scans, store = Scans(at_once=1, spared=0), memory()
        first = await scans.begin(Question(table="t"), store.snapshot)
        second = await scans.begin(Question(table="t"), store.snapshot)
        assert scans.go_on(second.id) is second
        with pytest.raises(ScanGoneError):
            scans.go_on(first.id)

    asyncio.run(begin())


def test_a_forgotten_scan_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    async def begin() -> None:
        scans, ended = Scans(idle=0.01), asyncio.Event()
        scan = await scans.begin(Question(table="t"), memory().snapshot)
        monkeypatch.setattr(scan.snapshot, "close", ended.set)
        async with asyncio.timeout(30):
            await ended.wait()
        with pytest.raises(ScanGoneError):
            scans.go_on(scan.id)

    asyncio.run(begin())


CURSORS = st.builds(Cursor, st.just(Question(table="t").digest), st.integers(0, 99), st.text(), st.binary())


@given(CURSORS)
def test_a_cursor_is_read_as_it_was_written(cursor: Cursor) -> None:
    assert Cursor.parse(str(cursor), Question(table="t")) == cursor


@given(st.text())
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(CursorError):
        Cursor.parse(text, Question(table="t"))


def test_a_cursor_of_another_question_is_refused() -> None:
    cursor = Cursor(Question(table="t").digest, 0)
    with pytest.raises(CursorError, match="of another question"):
        Cursor.parse(str(cursor), Question(table="t", where="n > 1"))


def test_rows_in_another_format_are_shown_chosen_and_counted_by_their_json() -> None:
    store, as_json = MemoryPartition(), MessagePack().to_json
    values = {b"a": b'{"n":1}', b"b": b'{"n":2}'}
    store.write({key: Row(MessagePack().from_json(value), 5) for key, value in values.items()}, 1)
    store.write({b"c": Row(b"\xc1", 5)}, 2)
    scan = Scan(store.snapshot(), Question(table="t", where="n > 1"), as_json)
    assert [bytes(row.value) for row in read_page(scan, b"", 10, 10, counting=False).rows] == [b'{"n":2}']
    scan = Scan(store.snapshot(), Question(table="t", where="n > 1"), as_json)
    assert read_page(scan, b"", 10, 10, counting=True).found == 1
    scan = Scan(store.snapshot(), Question(table="t", prefix=b"c"), as_json)
    (broken,) = read_page(scan, b"", 10, 10, counting=False).rows
    assert (bytes(broken.value), broken.value_base64) == (b"null", "wQ==")


def test_rows_whose_keys_are_in_a_format_are_chosen_and_shown_by_the_text() -> None:
    keys, store = Keys(Avro("string")), MemoryPartition()
    names = [f"u{number}" for number in range(20)]
    store.write({keys.of(name): Row(b"{}", 5) for name in names}, 1)
    scan = Scan(store.snapshot(), Question(table="t", prefix=b"u1", stop=b"u15"), None, keys.text)
    found: list[str] = []
    position = b""
    while True:
        page = read_page(scan, position, 2, 10, counting=False, piece_rows=3)
        found += [row.key for row in page.rows]
        if page.position is None:
            break
        position = page.position
    assert sorted(found) == ["u1", "u10", "u11", "u12", "u13", "u14"]
