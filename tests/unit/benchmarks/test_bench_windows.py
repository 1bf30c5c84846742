"""The transactions of the benchmarks, and the check of what windows make of them."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from typing import Any

import orjson
import pytest

from benchmarks.check import check
from benchmarks.options import parse
from benchmarks.windows import DISORDER, GAP, GRACE, SIZE, SPAN, Kind, Windows

BEGIN = 1_700_000_040_000
LOADS = {kind: Windows(keys=20, transactions=2_000, kind=kind, begin=BEGIN) for kind in Kind}
TRANSACTIONS = list(LOADS[Kind.TUMBLING].inputs(0)["transactions"].records)
#: By address: time and amount of each transaction but the last one, in the order of time.
PLAIN: dict[bytes, list[tuple[int, float]]] = defaultdict(list)
for address, value, timestamp in sorted(TRANSACTIONS[:-20], key=lambda record: record[2]):
    PLAIN[address].append((timestamp, json.loads(value)["amount"]))

each_kind = pytest.mark.parametrize("load", [LOADS[kind] for kind in Kind if kind is not Kind.ENRICH], ids=str)


def result(address: bytes, start: int, end: int, amounts: list[float], **changes: Any) -> tuple[bytes, bytes]:
    value = {"start": start, "end": end, "n": len(amounts), "total": sum(amounts)}
    return address, orjson.dumps(value | changes)


def tumbling(address: bytes, some: list[tuple[int, float]]) -> list[tuple[bytes, bytes]]:
    windows = itertools.groupby(some, lambda one: one[0] // SIZE * SIZE)
    return [result(address, start, start + SIZE, [amount for _, amount in found]) for start, found in windows]


def sessions(address: bytes, some: list[tuple[int, float]]) -> list[tuple[bytes, bytes]]:
    found = [[some[0]]]
    for before, one in itertools.pairwise(some):
        if one[0] - before[0] > GAP:
            found.append([])
        found[-1].append(one)
    return [result(address, one[0][0], one[-1][0], [amount for _, amount in one]) for one in found]


def look_back(address: bytes, some: list[tuple[int, float]]) -> list[tuple[bytes, bytes]]:
    return [
        result(address, end - SIZE, end, [amount for time, amount in some if end - SIZE < time <= end])
        for end, _ in some
    ]


PLAINLY = {Kind.TUMBLING: tumbling, Kind.SESSION: sessions, Kind.LOOK_BACK: look_back}


def output(load: Windows) -> list[tuple[bytes, bytes]]:
    """What a plain model makes of the transactions."""
    return [one for address, some in PLAIN.items() for one in PLAINLY[load.kind](address, some)]


def test_the_same_numbers_give_the_same_transactions() -> None:
    load = Windows(20, 2_000, Kind.SESSION, BEGIN)
    assert list(load.inputs(123)["transactions"].records) == TRANSACTIONS


def test_a_transaction_names_the_address_that_is_its_key_and_its_time() -> None:
    values = [(json.loads(value), key, timestamp) for key, value, timestamp in TRANSACTIONS]
    assert all((value["ip"].encode(), value["time"]) == (key, timestamp) for value, key, timestamp in values)


def test_transactions_come_out_of_order_but_none_is_late() -> None:
    times = [timestamp for _, _, timestamp in TRANSACTIONS]
    behind = [latest - time for latest, time in zip(itertools.accumulate(times, max), times, strict=True)]
    assert 0 < max(behind) <= DISORDER < GRACE
    assert min(times) >= BEGIN
    assert max(times[:-20]) < BEGIN + SPAN


def test_the_last_transactions_close_all_windows_but_their_own() -> None:
    last = TRANSACTIONS[-20:]
    assert len({key for key, _, _ in last}) == 20
    assert {timestamp for _, _, timestamp in last} == {BEGIN + SPAN + 2 * SIZE}


@each_kind
def test_pandas_finds_what_a_plain_model_finds(load: Windows) -> None:
    found = check(load, output(load))
    assert found.ok, f"{found} {found.first_wrong}"
    assert found.right == load.results > 150


@each_kind
def test_a_window_without_a_result_is_missing_and_one_with_two_is_repeated(load: Windows) -> None:
    results = output(load)
    found = check(load, [*results[1:], results[3]])
    assert (found.right, found.missing, found.repeated, found.wrong) == (load.results - 1, 1, 1, 0)
    assert not found.ok


@each_kind
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda value: value | {"n": value["n"] + 1}, id="one more"),
        pytest.param(lambda value: value | {"total": value["total"] + 0.01}, id="another sum"),
        pytest.param(lambda value: value | {"total": None}, id="no sum"),
        pytest.param(lambda value: value | {"start": value["start"] + 1}, id="another start"),
        pytest.param(lambda value: value | {"end": value["end"] + 1}, id="another end"),
        pytest.param(lambda value: {"start": value["start"]}, id="only a start"),
        pytest.param(lambda value: [value], id="a list"),
    ],
)
def test_a_result_that_says_anything_else_is_wrong(load: Windows, change: Any) -> None:
    results = output(load)
    key, value = results[0]
    found = check(load, [(key, orjson.dumps(change(orjson.loads(value)))), *results[1:]])
    assert (found.right, found.missing, found.wrong) == (load.results - 1, 1, 1)


@each_kind
@pytest.mark.parametrize("key", [b"10.9.9.9", None], ids=["another address", "no key"])
def test_a_result_of_another_address_is_wrong(load: Windows, key: bytes | None) -> None:
    results = output(load)
    assert check(load, [(key, results[0][1]), *results[1:]]).wrong == 1


def enriched() -> list[tuple[bytes, bytes]]:
    """What a plain model makes of the transactions when each is to come out with its count."""
    results, came = [], defaultdict[bytes, list[int]](list)
    for key, value, at in TRANSACTIONS:
        came[key].append(at)
        n = sum(at - SIZE < time <= at for time in came[key])
        results.append((key, orjson.dumps(orjson.loads(value) | {"n": n})))
    return results


def test_each_transaction_is_to_come_out_with_the_count_of_those_that_came_by_then() -> None:
    load = LOADS[Kind.ENRICH]
    found = check(load, enriched())
    assert found.ok, f"{found} {found.first_wrong}"
    assert found.right == load.results == len(TRANSACTIONS)


@pytest.mark.parametrize("change", [{"n": 0}, {"n": None}, {"amount": 0.5}, {"time": BEGIN}])
def test_a_transaction_that_comes_out_with_anything_else_is_wrong(change: dict[str, Any]) -> None:
    (key, value), *others = enriched()
    found = check(LOADS[Kind.ENRICH], [(key, orjson.dumps(orjson.loads(value) | change)), *others])
    assert (found.missing, found.wrong) == (1, 1)


def test_of_each_change_of_a_window_the_last_counts() -> None:
    load = LOADS[Kind.TUMBLING]
    results = output(load)
    key, value = results[0]
    before = key, orjson.dumps(orjson.loads(value) | {"n": 1, "total": 1.0})
    assert check(load, load.settled([before, *results])).ok
    assert check(load, load.settled([*results, before])).wrong == 1
    assert check(load, [before, *results]).wrong == 1


def test_what_is_taken_back_and_windows_that_stay_open_do_not_count() -> None:
    load = LOADS[Kind.TUMBLING]
    results = output(load)
    key, value = results[0]
    taken_back = key, orjson.dumps(orjson.loads(value) | {"n": 1, "diff": -1})
    still_open = result(key, BEGIN + SPAN + 2 * SIZE, BEGIN + SPAN + 3 * SIZE, [1.0])
    assert check(load, load.settled([*results, taken_back, still_open])).ok


def test_loads_have_topics_of_their_own() -> None:
    loads = [*LOADS.values(), *(LOADS[Kind.TUMBLING].part(share) for share in (2, 4))]
    assert len({load.prefix for load in loads}) == len(loads)


def test_all_programs_of_a_kind_of_windows_are_run_if_none_are_named() -> None:
    peers = {kind: [peer.name for peer in peers] for kind, peers in parse([]).windowing.items()}
    assert all(names[0] == "streamapp" for names in peers.values())
    windows = [set(names) for kind, names in peers.items() if kind is not Kind.ENRICH]
    assert {"kafka_streams", "quix_streams"} <= set.intersection(*windows)
    assert {"kafka_streams_updates", "pathway", "bytewax", "faust"} <= set(peers[Kind.TUMBLING])
