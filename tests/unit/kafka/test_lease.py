"""A worker may send what comes of its partitions while the broker cannot have given them to another one."""

from __future__ import annotations

import pytest

from streamapp.kafka.lease import Lease

SESSION_S, REBALANCE_S = 10.0, 60.0


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lease(clock: Clock) -> Lease:
    return Lease(clock)


def answered(lease: Lease, sent: float, *, rebalancing: bool = False) -> None:
    lease.renew(sent, SESSION_S, REBALANCE_S, rebalancing=rebalancing)


def test_before_there_are_partitions_nobody_else_has_them(lease: Lease) -> None:
    assert lease.holds


def test_it_ends_a_session_timeout_after_the_last_heartbeat_was_sent(lease: Lease, clock: Clock) -> None:
    clock.now = 9.0
    answered(lease, sent=1.0)
    clock.now = 10.9
    assert lease.holds
    clock.now = 11.0
    assert not lease.holds


def test_a_heartbeat_that_is_answered_after_its_end_renews_it(lease: Lease, clock: Clock) -> None:
    answered(lease, sent=0.0)
    clock.now = 12.0
    assert not lease.holds
    answered(lease, sent=11.9)
    assert lease.holds


def test_heartbeats_do_not_renew_it_beyond_a_rebalance_that_waits_for_us(lease: Lease, clock: Clock) -> None:
    answered(lease, sent=0.0)
    for sent in range(3, 60, 3):
        answered(lease, sent, rebalancing=True)
    clock.now = 59.9
    assert lease.holds
    clock.now = 60.0
    assert not lease.holds
