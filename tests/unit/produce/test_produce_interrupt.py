"""Ctrl-C: noted at once, raised where it does no harm."""

from __future__ import annotations

import signal

import pytest

from streamapp.produce.interrupt import Interrupted, listening


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_raised_by_the_next_check(number: signal.Signals) -> None:
    with listening() as interrupt:
        interrupt.check()
        signal.raise_signal(number)

        with pytest.raises(Interrupted):
            interrupt.check()


def test_a_signal_is_raised_at_once_out_of_a_blocking_call() -> None:
    with listening() as interrupt, interrupt.at_once(), pytest.raises(Interrupted):
        signal.raise_signal(signal.SIGINT)


def test_a_signal_that_came_before_a_blocking_call_does_not_let_it_begin() -> None:
    with listening() as interrupt:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(Interrupted), interrupt.at_once():
            pytest.fail("the call began")


def test_a_second_signal_does_not_wait() -> None:
    with listening():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_the_handlers_of_before_are_put_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with listening():
        assert signal.getsignal(signal.SIGINT) not in before

    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
