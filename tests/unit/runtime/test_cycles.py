"""A join that would read what it sends is refused before the start."""

from __future__ import annotations

import pytest

from streamapp.runtime.cycles import Flow, FlowError, check_flows, returning

JOIN = Flow("the join paid", ["orders", "payments"], ["paid"], ["unpaid"])


def test_joins_that_follow_each_other_are_fine() -> None:
    check_flows(
        [JOIN, Flow("the join sent", ["paid", "parcels"], ["sent"]), Flow("the join lost", ["unpaid", "x"], ["sent"])],
        "dead_letters",
    )


@pytest.mark.parametrize(
    ("flows", "message"),
    [
        ([JOIN._replace(results=["orders"])], "the join paid reads orders and sends to it"),
        ([JOIN._replace(sides=["payments"])], "the join paid reads payments and sends to it"),
        ([JOIN._replace(sides=["paid"])], "sends both its results and records that are not matched to paid"),
        ([JOIN._replace(results=["dead_letters"])], "sends both its results and dead letters to dead_letters"),
        (
            [JOIN, Flow("the join again", ["paid", "parcels"], ["orders"])],
            "what is sent comes back without end, orders → paid → orders",
        ),
        (
            [JOIN, Flow("b", ["unpaid"], ["reminders"]), Flow("c", ["reminders"], ["payments"])],
            "payments → unpaid → reminders → payments",
        ),
    ],
)
def test_what_would_come_back_or_be_mixed_is_refused_and_the_topics_are_named(flows: list[Flow], message: str) -> None:
    with pytest.raises(FlowError, match=message):
        check_flows(flows, "dead_letters")


def test_an_output_that_is_read_is_told_unless_it_is_that_of_a_join() -> None:
    assert returning([JOIN], ["paid", "retries", "sent"], {"orders", "payments", "paid", "retries"}) == ["retries"]
