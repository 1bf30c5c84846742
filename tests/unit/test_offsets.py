"""Up to where a partition may be committed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamapp.batching.offsets import Offsets


@given(st.lists(st.integers(0, 10_000), min_size=1, unique=True).map(sorted), st.data())
def test_what_is_committed_is_done_and_so_is_all_before_it(begun, data) -> None:
    offsets, finished = Offsets(), set()
    for offset in begun:
        offsets.begin(offset)
    for offset in data.draw(st.permutations(begun)):
        offsets.finish(offset)
        finished.add(offset)
        undone = [other for other in begun if other not in finished]
        done_before = [other for other in begun if not undone or other < undone[0]]
        assert offsets.committable == (done_before[-1] + 1 if done_before else None)
        assert offsets.pending == len(undone)


def test_a_gap_in_the_offsets_does_not_commit_what_is_in_work() -> None:
    offsets = Offsets()
    offsets.begin(10)
    offsets.finish(10)
    offsets.begin(50)
    assert offsets.committable == 11


def test_nothing_is_committed_before_something_is_finished() -> None:
    offsets = Offsets()
    offsets.begin(0)
    assert offsets.committable is None
