"""What became of the records of joins and agents: accounts that add up, reasons, and samples of each."""

from __future__ import annotations

from typing import Any, NamedTuple, cast
from urllib.parse import quote

from faust.types import TP
from views import app_of, asked, assignor_of

from streamapp import App, Batch
from streamapp.explain.evidence import EvidenceTopic
from streamapp.formats import MessagePack
from streamapp.formats.keys import Keys
from streamapp.formats.undecodable import Reason as Letter
from streamapp.joins import Balance, Driver, Event, MemoryStore, Reason, Row, SideOutput, Updates
from streamapp.joins.ledger import LEDGER
from streamapp.runtime.inputs import Input
from streamapp.runtime.uncommitted import OrderedUncommitted, Uncommitted
from streamapp.runtime.work import Rejected
from streamapp.stores.memory import OrderedMemoryPartition
from streamapp.topology import JoinProcessor
from streamapp.topology.accounts import Account
from streamapp.web.snapshot import snapshot_of


def event(offset: int, key: bytes = b"ann") -> Any:
    return Event(key, b"{}", 1_000 + offset, offset)


def app_with_a_join() -> tuple[App, JoinProcessor[Any]]:
    app = app_of()
    join = app.topic("orders").join(app.topic("customers").table(), how="left", name="named").to("named")
    return app, join


def settle(join: JoinProcessor[Any], partition: int, balance: Balance, updates: Updates | None = None) -> None:
    account = Account(balance, updates or Updates(), 2_000 + partition)
    rows = have(join, partition)
    join.accounts.settle(partition, rows, 0, account.received, account)


def have(join: JoinProcessor[Any], partition: int, *, active: bool = True) -> Uncommitted:
    """Give the worker a partition of the state of a join."""
    tp = TP(join.table.changelog_topic_name, partition)
    rows = join.table.data.partitions[partition] = OrderedUncommitted(OrderedMemoryPartition(), tp)
    if active:
        assignor_of(cast(App, join.app)).actives.add(tp)
    return rows


def side(join: JoinProcessor[Any], partition: int, *sides: SideOutput) -> None:
    batch = Batch(TP("orders", partition), [event(0)])
    join.side_outputs.send(batch, sides)
    for effect in batch.work.effects:
        effect()


def funnel(app: App) -> dict[str, Any]:
    (found,) = asked(app, "/api/funnels")[0].json()
    return dict(found)


def test_a_funnel_has_the_sums_of_the_partitions_that_are_here() -> None:
    app, join = app_with_a_join()
    settle(join, 0, Balance(received=5, matched=3, unmatched=2), Updates(received=2, applied=2))
    settle(join, 1, Balance(received=7, matched=4, pending=1, late=1, rejected=1), Updates(received=1, rejected=1))
    found = funnel(app)
    assert found["balance"] == {
        "received": 12,
        "matched": 7,
        "unmatched": 2,
        "pending": 1,
        "late": 1,
        "rejected": 1,
    }
    assert found["updates"] == {"received": 3, "applied": 2, "late": 0, "rejected": 1}
    assert found["holds"]
    assert found["partitions"] == [0, 1]


def test_a_partition_that_is_only_followed_is_not_in_the_balance() -> None:
    app, join = app_with_a_join()
    settle(join, 0, Balance(received=5, matched=5))
    settle(join, 1, Balance(received=7, matched=7))
    assignor_of(app).actives.remove(TP(join.table.changelog_topic_name, 1))
    found = funnel(app)
    assert (found["balance"]["received"], [clock["partition"] for clock in found["clocks"]]) == (5, [0])


def test_a_partition_that_went_away_and_came_back_has_the_balance_of_its_state() -> None:
    app, join = app_with_a_join()
    settle(join, 0, Balance(received=5, matched=5))
    rows = join.table.partition(0)
    state = MemoryStore()
    driver = Driver(cast("Any", join.join), state)
    for offset in range(9):  # by another worker, whose changelog this one has followed
        driver.send(0, b"ann", b"{}", 3_000 + offset)
    rows.committed.write({LEDGER: Row(state.get(LEDGER) or b"", 0)}, 9)
    rows.forget()
    assert funnel(app)["balance"]["received"] == 9
    assert join.partitions[0].clock == 3_008


def test_a_partition_has_its_balance_after_a_restart_before_a_record_comes() -> None:
    app, join = app_with_a_join()
    state = MemoryStore()
    Driver(cast("Any", join.join), state).send(0, b"ann", b"{}", 3_000)
    have(join, 0).committed.write({LEDGER: Row(state.get(LEDGER) or b"", 0)}, 1)
    assert funnel(app)["balance"]["received"] == 1


def test_while_it_is_recovered_nothing_is_told_of_a_state_that_is_not_complete() -> None:
    app, join = app_with_a_join()
    settle(join, 0, Balance(received=5, matched=5))
    app.tables.actives_ready = False
    assert join.partitions == {}


def test_a_funnel_tells_of_records_that_are_not_accounted_for() -> None:
    app, join = app_with_a_join()
    settle(join, 0, Balance(received=5, matched=3))
    assert not funnel(app)["holds"]


def test_reasons_are_counted_by_topic_and_updates_apart() -> None:
    app, join = app_with_a_join()
    missed, refused = SideOutput(Reason.UNMATCHED, 0, event(1)), SideOutput(Reason.REFUSED, 1, event(2), rejected=True)
    side(join, 0, missed, missed, refused)
    assert funnel(app)["causes"] == [
        {"topic": "orders", "reason": "unmatched", "account": "unmatched", "update": False, "count": 2},
        {"topic": "customers", "reason": "refused", "account": "rejected", "update": True, "count": 1},
    ]


def test_clocks_are_those_of_the_join_and_of_each_topic() -> None:
    app, join = app_with_a_join()
    settle(join, 0, Balance())
    app.read_up_to = {TP("orders", 0): 1.5, TP("customers", 0): 1.25, TP("orders", 1): 9.0}
    assignor_of(app).actives |= {TP("orders", 0), TP("customers", 0)}
    assert funnel(app)["clocks"] == [{"partition": 0, "clock": 2_000, "read": {"orders": 1_500, "customers": 1_250}}]


def test_samples_of_a_reason_lead_to_their_explanations() -> None:
    app, join = app_with_a_join()
    side(join, 1, SideOutput(Reason.LATE, 0, event(1), late_by=1_200), SideOutput(Reason.UNMATCHED, 0, event(2)))
    (reply,) = asked(app, "/api/funnels/named/samples?topic=orders&reason=late")
    assert reply.json() == [
        {
            "topic": "orders",
            "partition": 1,
            "offset": 1,
            "key": "ann",
            "timestamp": 1_001,
            "reason": "late",
            "detail": "late by 1,200 ms",
            "see": "/joins/named/orders/1/1/",
        }
    ]


def fetched(offset: int, key: bytes) -> Any:
    return Came(key, b"{}", offset, offset, [])


class Came(NamedTuple):
    """A record as it is read."""

    key: bytes
    value: bytes
    timestamp: int
    offset: int
    headers: list[tuple[str, bytes]]


def test_keys_of_samples_are_shown_as_text_whatever_their_format() -> None:
    app = app_of()
    orders, customers = (app.topic(name, key_format=MessagePack()) for name in ("orders", "customers"))
    join = orders.join(customers.table(), how="left", name="named").to("named")
    serde = app.declared.serdes["orders"]
    seven = MessagePack().from_json(b"7")
    sides = [
        fetched(1, seven),  # as it was read
        fetched(2, b"\xc1"),  # what is of no format
        serde.read(fetched(3, seven)),
        event(4, b"7"),  # what the join had kept: the text "7" would be the number 55
    ]
    side(join, 0, *(SideOutput(Reason.UNMATCHED, 0, one) for one in sides))
    app.dead_letters.letters([Rejected(TP("orders", 0), fetched(5, seven), Letter.NOT_JSON, "it is none")])
    (samples,) = asked(app, "/api/funnels/named/samples?topic=orders&reason=unmatched")
    assert [one["key"] for one in samples.json()] == ["7", "7", "\\xc1", "7"]
    assert [one.key for one in snapshot_of(app, []).dead_letters] == ["7"]


def test_keys_of_samples_of_an_agent_are_shown_by_the_format_that_it_reads() -> None:
    app = app_with_an_agent(Keys(MessagePack()))
    app.dead_letters.letters([Rejected(TP("clicks", 0), fetched(6, b"\xa2u1"), Letter.NOT_OF_SCHEMA, "no")])
    (reply,) = asked(app, "/api/funnels/bought/samples?topic=clicks&reason=not_of_schema")
    assert [one["key"] for one in reply.json()] == ["u1"]


def test_samples_of_an_unknown_join_are_not_found() -> None:
    (reply,) = asked(app_of(), f"/api/funnels/{quote('<b>')}/samples?topic=orders&reason=late")
    assert (reply.status, reply.json()) == (404, {"error": "unknown join", "name": "<b>"})


class ByHand:
    """A join that an agent does by hand."""

    name = "bought"
    evidence: list[EvidenceTopic] = []  # noqa: RUF012

    def __init__(self, app: App, keys: Keys | None) -> None:
        self.table = app.table("profiles")
        self.inputs = (Input("clicks", 0, keys=keys), Input("profiles", 1, keys=keys))


def app_with_an_agent(keys: Keys | None = None) -> App:
    app = app_of()
    app.explain(ByHand(app, keys))  # type: ignore[arg-type]
    unmatched = app.unmatched("unmatched", table=app.table("profiles"), reason=bytes.decode)
    batch = Batch(TP("clicks", 0), [event(0)])
    missed = ("unmatched", "expired", "unmatched")
    unmatched.send(batch, [(fetched(n, b"ann"), reason.encode()) for n, reason in enumerate(missed, 1)])
    for effect in batch.work.effects:
        effect()
    app.dead_letters.letters(
        [
            Rejected(TP("clicks", 0), event(4), Letter.NOT_JSON, "it is none"),
            Rejected(TP("profiles", 0), event(5), Letter.NULL_KEY, "it has none"),
            Rejected(TP("others", 0), event(5), Letter.NULL_KEY, "it has none"),
        ]
    )
    app.read.update({"clicks": 10, "profiles": 3})
    return app


def test_of_a_join_by_hand_the_rest_is_taken_for_matched_and_not_checked() -> None:
    found = funnel(app_with_an_agent())
    balance = Balance(**found["balance"])
    assert found["holds"] is None
    assert balance == Balance(received=10, matched=6, unmatched=3, rejected=1)
    assert found["updates"] == {"received": 3, "applied": 2, "late": 0, "rejected": 1}
    assert [(one["reason"], one["account"], one["count"]) for one in found["causes"]] == [
        ("unmatched", "unmatched", 2),
        ("expired", "unmatched", 1),
        ("not_json", "rejected", 1),
        ("null_key", "rejected", 1),
    ]


def test_samples_of_a_join_by_hand_are_of_what_was_set_aside_and_rejected() -> None:
    paths = [f"/api/funnels/bought/samples?topic=clicks&reason={reason}" for reason in ("unmatched", "not_json")]
    replies = asked(app_with_an_agent(), *paths)
    assert [[one["offset"] for one in reply.json()] for reply in replies] == [[3, 1], [4]]
