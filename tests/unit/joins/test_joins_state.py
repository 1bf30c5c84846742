"""The state of a join: ordered rows, the same in memory and in RocksDB, with changes that wait for a commit."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamapp.joins import MemoryStore, State, Store, ordering
from streamapp.joins.rocksdb import RocksDBStore

KEYS = st.binary(max_size=3) | st.sampled_from([b"\xff", b"\xff\xff", b"a\xff", b"a\xff\xff"])
CHANGES = st.dictionaries(KEYS, st.none() | st.binary(max_size=5), max_size=10)


@contextmanager
def memory() -> Iterator[Store]:
    yield MemoryStore()


@contextmanager
def rocksdb() -> Iterator[Store]:
    with tempfile.TemporaryDirectory() as directory:
        store = RocksDBStore(Path(directory) / "state")
        yield store
        store.close()


STORES = pytest.mark.parametrize("opened", [memory, rocksdb])


@STORES
@settings(max_examples=60, deadline=None)
@given(batches=st.lists(st.tuples(CHANGES, st.booleans()), max_size=6), prefix=KEYS, start=KEYS)
def test_a_state_holds_what_a_dict_would_before_and_after_a_commit(
    opened: Any, batches: list[Any], prefix: bytes, start: bytes
) -> None:
    with opened() as store:
        state = State(store)
        model: dict[bytes, bytes] = {}
        for changes, committed in batches:
            for key, row in changes.items():
                if row is None:
                    state.delete(key)
                    model.pop(key, None)
                else:
                    state.put(key, row)
                    model[key] = row
            if committed:
                state.commit()
                assert state.changes == {}
            assert list(state.scan()) == sorted(model.items())
            inside = {key: row for key, row in model.items() if key.startswith(prefix) and key >= prefix + start}
            assert list(state.scan(prefix, start)) == sorted(inside.items())
            assert all(state.get(key) == model.get(key) for key in [*changes, prefix, start])


@STORES
def test_changes_that_are_not_committed_are_lost_with_the_state(opened: Any) -> None:
    with opened() as store:
        State(store).put(b"key", b"row")
        assert State(store).get(b"key") is None


@STORES
def test_a_section_has_keys_of_its_own_and_shares_the_commit(opened: Any) -> None:
    with opened() as store:
        state = State(store)
        state.section(b"left/").put(b"key", b"1")
        state.section(b"right/").section(b"rows/").put(b"key", b"2")
        assert state.changes == {b"left/key": b"1", b"right/rows/key": b"2"}
        state.section(b"left/").commit()
        assert dict(State(store).scan()) == {b"left/key": b"1", b"right/rows/key": b"2"}
        assert list(State(store).section(b"right/").scan()) == [(b"rows/key", b"2")]


def test_rows_on_disk_are_there_after_the_store_was_closed(tmp_path: Path) -> None:
    store = RocksDBStore(tmp_path / "state")
    store.write({b"key": b"row"})
    store.close()
    again = RocksDBStore(tmp_path / "state")
    assert again.get(b"key") == b"row"
    again.close()


@given(a=st.integers(-(2**60), 2**60), b=st.integers(-(2**60), 2**60))
def test_times_sort_as_bytes_as_they_do_as_numbers(a: int, b: int) -> None:
    assert (ordering.time(a) < ordering.time(b)) == (a < b)
    assert ordering.time_of(ordering.time(a) + b"more") == a


@given(a=KEYS, b=KEYS, more=KEYS, rest=KEYS)
def test_rows_of_one_key_are_never_taken_for_those_of_another(a: bytes, b: bytes, more: bytes, rest: bytes) -> None:
    assert (ordering.grouped(a) + more).startswith(ordering.grouped(b)) == (a == b)
