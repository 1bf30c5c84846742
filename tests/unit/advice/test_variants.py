"""The same join with other settings, and what cannot be another one."""

from __future__ import annotations

from typing import Any

import pytest

from streamapp.advice.subject import SubjectError
from streamapp.advice.variants import Settings, with_settings
from streamapp.joins import ForeignKeyJoin, How, Join, NWayJoin, StreamStreamJoin, StreamTableJoin, TableTableJoin
from streamapp.windows import Count, WindowedAggregate, hopping, last, session, tumbling

PAIRS = StreamStreamJoin(before=10, after=0, grace=1)
TABLE = StreamTableJoin(ttl=5, kept=7)
N = {"n": Count()}


def windows(kind: Any) -> WindowedAggregate:
    return WindowedAggregate(windows=kind, aggregates=N, grace=1)


@pytest.mark.parametrize(
    ("join", "settings", "changed"),
    [
        (PAIRS, {"grace": 5}, StreamStreamJoin(before=10, after=0, grace=5)),
        (PAIRS, {"before": 0, "after": 9}, StreamStreamJoin(before=0, after=9, grace=1)),
        (PAIRS, {"how": How.OUTER}, StreamStreamJoin(before=10, after=0, grace=1, how=How.OUTER)),
        (TABLE, {"ttl": 9, "how": How.LEFT}, StreamTableJoin(How.LEFT, ttl=9, kept=7)),
        (NWayJoin((TABLE, TABLE)), {"ttl": 1}, NWayJoin((StreamTableJoin(ttl=1, kept=7),) * 2)),
        (TableTableJoin(), {"how": How.OUTER}, TableTableJoin(how=How.OUTER)),
        (windows(tumbling(10)), {"size": 20}, windows(tumbling(20))),
        (windows(hopping(10, 5)), {"size": 20}, windows(hopping(20, 5))),
        (windows(tumbling(10)), {"advance": 5}, windows(hopping(10, 5))),
        (windows(session(10)), {"session": 20}, windows(session(20))),
    ],
)
def test_what_is_not_named_stays_as_it_is(join: Join[Any], settings: dict[str, Any], changed: Join[Any]) -> None:
    assert with_settings("j", join, Settings(**settings)) == changed


@pytest.mark.parametrize(
    ("join", "settings", "message"),
    [
        (PAIRS, {"ttl": 1}, r"j has no setting --ttl: it is a join of two streams \(.*\), and takes --how, --before"),
        (PAIRS, {"before": -5}, "j: before .* leave no window between them"),
        (TABLE, {"grace": 5}, "j: a grace of 5 ms needs a versioned table"),
        (
            ForeignKeyJoin(foreign_key=lambda record: record.key),
            {"how": How.OUTER},
            "a foreign-key join is inner or left",
        ),
        (windows(tumbling(10)), {"session": 1}, "aggregates in time windows, and take --size and --advance"),
        (windows(session(10)), {"size": 1}, "and take --session"),
        (windows(last(3)), {"size": 1}, "and take --grace"),
        (windows(tumbling(10)), {"size": -1}, "the size of windows must be more than 0"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(join: Join[Any], settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SubjectError, match=message) as refused:
        with_settings("j", join, Settings(**settings))
    assert "\n" not in str(refused.value)
