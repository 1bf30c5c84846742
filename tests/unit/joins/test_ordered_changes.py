"""Changes that are gone through in the order of their keys."""

import itertools

from hypothesis import given
from hypothesis import strategies as st
from sortedcontainers import SortedDict

from streamapp.joins.ordered_changes import OrderedChanges

KEYS = st.binary(max_size=2)
STEPS = st.lists(st.tuples(st.dictionaries(KEYS, st.integers()), KEYS, st.none() | KEYS, st.booleans()))


@given(STEPS)
def test_they_are_read_like_a_sorted_dict_however_writes_and_scans_alternate(steps):
    changes: OrderedChanges[int] = OrderedChanges()
    model: SortedDict[bytes, int] = SortedDict()
    for written, start, stop, cleared in steps:
        if cleared:
            changes.clear()
            model.clear()
        changes.update(written)
        model.update(written)
        assert list(changes.between(start, stop)) == list(model.irange(start, stop, (True, False)))
        assert changes == model


def test_a_scan_may_be_left_amid_its_keys():
    changes = OrderedChanges({b"b": 2, b"c": 3})
    assert list(itertools.islice(changes.between(b"", None), 1)) == [b"b"]
    changes[b"a"] = 1
    assert list(changes.between(b"", b"c")) == [b"a", b"b"]
