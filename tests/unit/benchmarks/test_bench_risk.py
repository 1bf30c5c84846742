"""What results tell of transactions: how long each took, and which counts are wrong."""

from __future__ import annotations

from benchmarks.risk_load import SIZE_MS, Result, Transaction, of_each, of_minutes

MINUTE = 7 * SIZE_MS
SENT = [Transaction(MINUTE + 10, 0, "a"), Transaction(MINUTE + 20, 1, "a"), Transaction(MINUTE + 20, 2, "b")]


def result(read: int, ip: str, n: int, number: int = -1) -> Result:
    return Result(MINUTE + read, MINUTE, ip, n, MINUTE, number)


def test_a_transaction_is_there_with_the_first_result_that_counts_as_many() -> None:
    covered = of_minutes(SENT, [result(30, "a", 2), result(31, "b", 1), result(40, "a", 2)])
    assert covered.times == {0: 20, 1: 10, 2: 11}
    assert covered.wrong == 0


def test_a_count_of_more_transactions_than_there_are_is_wrong() -> None:
    covered = of_minutes(SENT, [result(30, "a", 3), result(31, "c", 1)])
    assert (covered.times, covered.wrong) == ({}, 2)


def test_each_transaction_has_the_time_of_its_own_result() -> None:
    covered = of_each(SENT, [result(30, "a", 1, 0), result(32, "a", 2, 1), result(33, "b", 2, 2)])
    assert covered.times == {0: 20, 1: 12, 2: 13}
    assert covered.wrong == 1
