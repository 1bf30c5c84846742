"""A cache holds what was read or written last, and never more than its limit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamapp.joins.cache import Cache


@given(steps=st.lists(st.tuples(st.integers(0, 9), st.none() | st.integers())), limit=st.integers(1, 5))
def test_a_cache_that_is_written_through_gives_what_is_stored(steps: list[tuple[int, int | None]], limit: int) -> None:
    stored: dict[int, int] = {}
    cache: Cache[int, int | None] = Cache(stored.get, limit)
    for key, value in steps:
        if value is not None:
            stored[key] = value
            cache.keep(key, value)
        assert cache[key] == stored.get(key)
        assert len(cache) <= limit


def test_what_is_kept_is_not_read_again() -> None:
    read: list[str] = []
    cache: Cache[str, str] = Cache(lambda key: read.append(key) or key, 2)  # type: ignore[func-returns-value]
    assert [cache[key] for key in "abbabca"] == list("abbabca")
    assert read == ["a", "b", "c", "a"]
