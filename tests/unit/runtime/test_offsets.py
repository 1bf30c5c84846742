"""Up to where a partition may be committed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streamapp.runtime.lane import Offsets


class AnyOrderOfWork(RuleBasedStateMachine):
    """Messages begin in the order of their offsets, with gaps, and finish in any order; beside it, plain lists."""

    def __init__(self) -> None:
        super().__init__()
        self.offsets = Offsets()
        self.begun: list[int] = []
        self.finished: set[int] = set()

    @rule(gap=st.one_of(st.just(0), st.integers(0, 1_000)))
    def begin(self, gap: int) -> None:
        self.begun.append((self.begun[-1] + 1 if self.begun else 0) + gap)
        self.offsets.begin(self.begun[-1])

    @precondition(lambda self: len(self.finished) < len(self.begun))
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        offset = data.draw(st.sampled_from([offset for offset in self.begun if offset not in self.finished]))
        self.finished.add(offset)
        self.offsets.finish(offset)

    @invariant()
    def what_is_committed_is_done_and_so_is_all_before_it(self) -> None:
        done = 0
        while done < len(self.begun) and self.begun[done] in self.finished:
            done += 1
        assert self.offsets.committable == (self.begun[done - 1] + 1 if done else None)

    @invariant()
    def what_is_begun_and_not_finished_is_pending(self) -> None:
        assert self.offsets.pending == len(self.begun) - len(self.finished)


TestAnyOrderOfWork = AnyOrderOfWork.TestCase


@given(st.lists(st.integers(0, 10_000), min_size=1, unique=True).map(sorted))
def test_what_is_done_in_order_can_be_committed_at_once(offsets: list[int]) -> None:
    tracked = Offsets()
    for offset in offsets:
        tracked.begin(offset)
        tracked.finish(offset)
        assert tracked.committable == offset + 1


@given(st.integers(0, 10_000), st.integers(1, 10_000))
def test_a_gap_does_not_take_the_record_behind_it_for_done(offset: int, gap: int) -> None:
    tracked = Offsets()
    tracked.begin(offset)
    tracked.begin(offset + gap)
    tracked.finish(offset)
    assert tracked.committable == offset + 1


def test_nothing_can_be_committed_before_something_is_finished() -> None:
    tracked = Offsets()
    tracked.begin(0)
    assert tracked.committable is None
