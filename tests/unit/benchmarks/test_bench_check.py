"""The check of a benchmark's output."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from benchmarks.check import Check, check
from benchmarks.workload import Workload

WORKLOAD = Workload(users=10, clicks=30)

Output = list[tuple[bytes | None, bytes | None]]


def result(number: int, **changes: Any) -> tuple[bytes, bytes]:
    user = WORKLOAD.user(number)
    value = {
        "click": orjson.loads(WORKLOAD.click(number)),
        "profile": orjson.loads(WORKLOAD.profile(user)),
        "join_timestamp": 1.5,
    }
    return b"u%d" % user, orjson.dumps(value | changes)


@pytest.fixture
def output() -> Output:
    return [result(click) for click in range(30)]


def test_an_output_with_each_click_once_is_right(output: Output) -> None:
    found = check(WORKLOAD, reversed(output))
    assert found == Check(right=30, missing=0, repeated=0, wrong=0)
    assert found.ok
    assert str(found) == "right"


def test_a_click_without_a_result_is_missing(output: Output) -> None:
    found = check(WORKLOAD, output[1:])
    assert (found.right, found.missing, found.ok) == (29, 1, False)
    assert str(found) == "1 missing of 30"


def test_a_second_result_of_a_click_is_repeated(output: Output) -> None:
    found = check(WORKLOAD, [*output, output[3]])
    assert (found.right, found.repeated, found.ok) == (30, 1, False)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param((b"u0", b"{"), id="not JSON"),
        pytest.param((b"u0", None), id="a tombstone"),
        pytest.param((b"u0", b"[]"), id="not an object"),
        pytest.param((b"other", result(3)[1]), id="another key"),
        pytest.param((None, result(3)[1]), id="no key"),
        pytest.param(result(3, profile=None), id="no profile"),
        pytest.param(result(3, profile=orjson.loads(WORKLOAD.profile(11))), id="a stranger's profile"),
        pytest.param(result(3, click={"click_id": "c3"}), id="a click that has lost its fields"),
        pytest.param(result(3, click={"click_id": "c30"}), id="a click that was never produced"),
        pytest.param(result(3, click={"click_id": "c-1"}), id="a click with a negative number"),
        pytest.param(result(3, join_timestamp=None), id="no join timestamp"),
        pytest.param(result(3, diff=-1), id="a retraction"),
    ],
)
def test_any_other_record_is_wrong_and_joins_no_click(output: Output, wrong: tuple[bytes | None, bytes | None]) -> None:
    output[3] = wrong
    found = check(WORKLOAD, output)
    assert (found.right, found.missing, found.wrong, found.ok) == (29, 1, 1, False)
    assert found.first_wrong == f"{wrong[0]!r}: {wrong[1]!r}"
    assert str(found) == "1 missing, 1 wrong of 30"
