"""What makes results valid together with the offsets of their input: an order, or a transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.errors import InvalidProducerEpoch
from aiokafka.structs import OffsetAndMetadata
from faust.types import TP
from group_of_one import GroupOfOne

from streamapp.kafka.commit_metadata import CommitMetadata
from streamapp.kafka.lease import Lease
from streamapp.runtime import delivery as module
from streamapp.runtime.delivery import AtLeastOnce, ExactlyOnce

CLICKS, VIEWS = TP("clicks", 0), TP("views", 0)


class Outbox:
    """What sends: it takes note of the producers that it is given."""

    def __init__(self) -> None:
        self.producers: list[object] = []

    def use(self, producer: object) -> None:
        self.producers.append(producer)

    cut = use


class Consumer:
    """The consumer: it commits into its group."""

    generation = 3

    def __init__(self, group: GroupOfOne) -> None:
        self._group = group
        self.noted: dict[TP, int] = {}

    async def commit_offsets(self, offsets: Mapping[TP, int]) -> None:
        for tp, offset in offsets.items():
            self._group.commit(tp, offset, CommitMetadata())

    def committed(self, offsets: Mapping[TP, int]) -> None:
        self.noted |= offsets


class Resumption:
    """Where partitions go on: from what is committed, but for those that are told to be elsewhere."""

    def __init__(self, moved: Mapping[TP, int]) -> None:
        self.moved = moved
        self.positions = SimpleNamespace(there={"clicks", "views"})

    async def start(self, committed: Mapping[TP, OffsetAndMetadata], partitions: Collection[TP]) -> Mapping[TP, int]:
        return self.moved

    def metadata(self, tp: TP, transactional_id: str = "") -> str:
        return str(CommitMetadata(transactional_id=transactional_id))


class Transactional:
    """A transactional producer: what it has done, in order."""

    def __init__(self, name: str, group: GroupOfOne, refusals: int) -> None:
        self.name = name
        self.steps: list[str] = []
        self._group = group
        self._refusals = refusals
        self._sender = SimpleNamespace()

    async def start(self) -> None:
        if self._refusals:
            raise InvalidProducerEpoch

    async def stop(self) -> None:
        self.steps.append("stop")

    async def begin_transaction(self) -> None:
        self.steps.append("begin")

    async def send_offsets_to_transaction(self, offsets: Mapping[Any, OffsetAndMetadata], group: str) -> None:
        self.steps.append("offsets")
        self._offsets = {TP(*tp): offset for tp, offset in offsets.items()}

    async def commit_transaction(self) -> None:
        self.steps.append("commit")
        self._group.offsets |= self._offsets


class Producers:
    """Faust's producer, and those that are transactional, of which the first may be refused."""

    def __init__(self, group: GroupOfOne) -> None:
        self._group = group
        self.aiokafka: Any = SimpleNamespace(fence=self._fence)
        self.leases: list[Lease] = []
        self.renewed = 0
        self.refusals = 0
        self.made: list[Transactional] = []
        self.closed: list[str] = []

    def _fence(self, lease: Lease) -> None:
        self.leases.append(lease)

    async def renew(self) -> None:
        self.renewed += 1

    def transactional(self, transactional_id: str) -> Any:
        made = Transactional(transactional_id, self._group, self.refusals)
        self.refusals = max(0, self.refusals - 1)
        self.made.append(made)
        return made

    async def close_transactional(self) -> None:
        self.closed += [one.name for one in self.made]

    @property
    def begun(self) -> list[str]:
        return [one.name for one in self.made if "begin" in one.steps]


class Case:
    def __init__(self, moved: Mapping[TP, int] | None = None) -> None:
        self.group, self.outbox = GroupOfOne(), Outbox()
        self.consumer, self.resumption = Consumer(self.group), Resumption(moved or {})
        self.producers, self.lease = Producers(self.group), Lease()
        parts: dict[str, Any] = {"outbox": self.outbox, "group": self.group, "consumer": self.consumer}
        parts |= {"resumption": self.resumption, "producers": self.producers}
        self.at_least_once = AtLeastOnce(**parts, lease=self.lease)
        self.exactly_once = ExactlyOnce(**parts, timeout_s=60)


def run(scenario: Callable[[Case], Awaitable[None]], case: Callable[[], Case] = Case) -> None:
    async def main() -> None:
        await scenario(case())

    asyncio.run(main())


@pytest.fixture(autouse=True)
def _closes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def close(producer: Transactional) -> None:
        producer.steps.append("closed")

    monkeypatch.setattr(module, "close", close)
    monkeypatch.setattr(module, "INIT_RETRY_S", 0.0)


def test_at_least_once_the_producer_sends_only_as_long_as_the_worker_has_its_partitions() -> None:
    async def scenario(case: Case) -> None:
        await case.at_least_once.open([CLICKS])
        assert (case.producers.renewed, case.producers.leases) == (1, [case.lease])
        assert case.outbox.producers == [case.producers.aiokafka]

    run(scenario)


def test_at_least_once_what_is_read_from_elsewhere_is_committed_before_it_is_read() -> None:
    async def scenario(case: Case) -> None:
        await case.at_least_once.open([CLICKS, VIEWS])
        assert case.group.begins == {CLICKS: 5}
        assert {tp: found.offset for tp, found in case.group.offsets.items()} == {CLICKS: 5}

    run(scenario, lambda: Case({CLICKS: 5}))


def test_exactly_once_two_producers_take_turns_and_each_commits_what_it_has_sent() -> None:
    async def scenario(case: Case) -> None:
        await case.exactly_once.open([CLICKS])
        first, second = case.producers.made
        assert (first.name, second.name) == ("app-host-0", "app-host-1")
        first.steps.clear()
        second.steps.clear()
        case.exactly_once.cut()
        await case.exactly_once.commit({CLICKS: 8})
        assert (case.outbox.producers, first.steps) == ([first, second], ["offsets", "commit", "begin"])
        case.exactly_once.cut()
        await case.exactly_once.commit({CLICKS: 9})
        assert (case.outbox.producers, second.steps) == ([first, second, first], ["offsets", "commit", "begin"])
        assert case.consumer.noted == {CLICKS: 9}

    run(scenario)


def test_exactly_once_committed_offsets_name_the_transactions_of_their_worker() -> None:
    async def scenario(case: Case) -> None:
        await case.exactly_once.open([CLICKS])
        metadata = CommitMetadata.parse(case.group.offsets[CLICKS].metadata)
        assert metadata.transactional_id == "app-host"

    run(scenario)


def test_exactly_once_a_commit_without_offsets_shows_the_broker_one_that_is_committed() -> None:
    async def scenario(case: Case) -> None:
        await case.exactly_once.open([CLICKS])
        case.exactly_once.cut()
        await case.exactly_once.commit({CLICKS: 8})
        case.exactly_once.cut()
        await case.exactly_once.commit({})
        assert case.group.offsets[CLICKS].offset == 8

    run(scenario)


@pytest.mark.parametrize(("members", "ended"), [({"host"}, True), ({"host", "other"}, False)])
def test_exactly_once_transactions_of_a_worker_that_is_gone_are_ended(members: set[str], ended: bool) -> None:
    async def scenario(case: Case) -> None:
        case.group.commit(CLICKS, 4, CommitMetadata(transactional_id="app-other"))
        case.group.members = members
        await case.exactly_once.open([CLICKS])
        assert ("app-other-0" in case.producers.begun) is ended
        assert all("closed" in one.steps for one in case.producers.made if one.name.startswith("app-other"))
        assert case.exactly_once.outbox.producers == [case.producers.made[0]]  # type: ignore[attr-defined]

    run(scenario)


def test_exactly_once_a_transactional_id_that_is_just_being_ended_is_asked_for_again() -> None:
    async def scenario(case: Case) -> None:
        case.producers.refusals = 2
        await case.exactly_once.open([CLICKS])
        assert sorted(case.producers.begun) == ["app-host-0", "app-host-1"]
        assert [one.steps for one in case.producers.made if "begin" not in one.steps] == [["stop"]] * 2

    run(scenario)


def test_exactly_once_a_new_generation_begins_with_new_producers() -> None:
    async def scenario(case: Case) -> None:
        await case.exactly_once.open([CLICKS])
        await case.exactly_once.open([CLICKS])
        assert case.producers.closed == ["app-host-0", "app-host-1"]
        assert cast(Transactional, case.outbox.producers[-1]) is case.producers.made[2]

    run(scenario)


def test_exactly_once_a_topic_that_is_gone_keeps_no_other_from_beginning() -> None:
    async def scenario(case: Case) -> None:
        case.resumption.positions.there = {"views"}
        await case.exactly_once.open([CLICKS, VIEWS])
        assert set(case.group.offsets) == {VIEWS}

    run(scenario)
