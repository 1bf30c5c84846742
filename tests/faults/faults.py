"""The faults: each a function of a system and a random number generator, which is all that it decides by."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from random import Random
from types import MappingProxyType

from click_workload import Clicks
from confluent_kafka import OFFSET_END, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from system import System
from workers import SESSION

__all__ = ["FAULTS", "Fault", "clock_jumps", "meets"]

Fault = Callable[[System, Random], None]


def nothing(system: System, chance: Random) -> None:
    """Nothing happens: what the harness itself would find."""


def worker_killed(system: System, chance: Random) -> None:
    """kill -9 of a worker at random moments, three times; sometimes it stays away until its partitions have gone."""
    for _ in range(3):
        time.sleep(chance.uniform(0.2, 2.0))
        name = chance.choice(system.workers.names)
        system.workers.kill(name)
        if chance.random() < 0.2:
            time.sleep(SESSION + 1)
        system.workers.start(name)


def worker_killed_at_commit(system: System, chance: Random) -> None:
    """kill -9 of a worker in its commit or just after: up to 10 ms after a changelog has got its rows; four times."""
    for _ in range(4):
        partition = chance.randrange(system.topics.partitions)
        system.workers.wait_ready()
        name = system.workers.owner(f"{system.topics.prefix}{system.workload.watched[0]}", partition)
        system.wait_commit(partition)
        time.sleep(chance.uniform(0.0, 0.01))
        system.workers.kill(name)
        system.workers.start(name)


def all_workers_killed(system: System, chance: Random) -> None:
    """kill -9 of all workers at once, at a random moment, twice."""
    for _ in range(2):
        time.sleep(chance.uniform(0.5, 3.0))
        names = system.workers.names
        for name in names:
            system.workers.kill(name)
        for name in names:
            system.workers.start(name)


def worker_frozen(system: System, chance: Random) -> None:
    """SIGSTOP of a worker for longer than its session, SIGCONT after others have its partitions (a zombie)."""
    time.sleep(chance.uniform(0.2, 2.0))
    name = chance.choice(system.workers.names)
    system.workers.freeze(name)
    time.sleep(SESSION + chance.uniform(0.5, 3.0))
    system.workers.thaw(name)


def rebalance_storm(system: System, chance: Random) -> None:
    """A worker joins or leaves every 2 s, by SIGTERM or kill -9."""
    for turn in range(5):
        time.sleep(2.0)
        if turn % 2 == 0:
            system.workers.start("another")
        else:
            chance.choice([system.workers.stop, system.workers.kill])("another")
    system.workers.stop("another")


def broker_killed(system: System, chance: Random) -> None:
    """kill -9 of the broker at a random moment, restarted after a random time."""
    time.sleep(chance.uniform(0.2, 3.0))
    system.broker.kill()
    time.sleep(chance.uniform(0.0, 3.0))
    system.broker.start()


def broker_restarted(system: System, chance: Random) -> None:
    """The broker stopped and started."""
    time.sleep(chance.uniform(0.2, 3.0))
    system.broker.stop()
    system.broker.start()


def coordinator_lost_in_transaction(system: System, chance: Random) -> None:
    """The broker, which coordinates group and transactions, killed or restarted up to 20 ms after a changelog has got
    rows, amid a transaction; twice.
    """
    for _ in range(2):
        system.wait_commit(chance.randrange(system.topics.partitions))
        time.sleep(chance.uniform(0.0, 0.02))
        chance.choice([system.broker.kill, system.broker.stop])()
        system.broker.start()


def broker_frozen(system: System, chance: Random) -> None:
    """SIGSTOP of the broker for 1 to 8 s."""
    time.sleep(chance.uniform(0.2, 3.0))
    system.broker.freeze()
    time.sleep(chance.uniform(1.0, 8.0))
    system.broker.thaw()


def broker_unreachable(system: System, chance: Random) -> None:
    """Nothing passes between workers and broker for 1 to 12 s, with all connections open."""
    _unreachable(system, chance, chance.uniform(1.0, 12.0))


def broker_unreachable_for_a_minute(system: System, chance: Random) -> None:
    """The same for 60 s."""
    _unreachable(system, chance, 60.0)


def _unreachable(system: System, chance: Random, seconds: float) -> None:
    time.sleep(chance.uniform(0.2, 3.0))
    system.broker.wire.freeze()
    time.sleep(seconds)
    system.broker.wire.mend()


def connections_cut(system: System, chance: Random) -> None:
    """All connections between workers and broker reset, and new ones refused for up to 2 s, three times."""
    for _ in range(3):
        time.sleep(chance.uniform(0.2, 2.0))
        system.broker.wire.cut()
        time.sleep(chance.uniform(0.0, 2.0))
        system.broker.wire.mend()


def full_producer_buffer(system: System, chance: Random) -> None:
    """10 to 50 KB/s to the broker on each connection for 10 s, and a burst: results pile up, agents have to wait."""
    time.sleep(chance.uniform(0.2, 2.0))
    system.broker.wire.slow_down(chance.randrange(10_000, 50_000))
    system.workload.burst()
    time.sleep(10.0)
    system.broker.wire.mend()


def slow_consumer(system: System, chance: Random) -> None:
    """Three batches that take 1 to 8 s: the agent waits that long, or holds up the whole worker."""
    for _ in range(3):
        time.sleep(chance.uniform(0.2, 2.0))
        _clicks(system).slow(chance.choice(["await", "block"]), chance.uniform(1.0, SESSION + 2.0))


def clock_jumps(system: System, chance: Random) -> None:
    """The workers' wall clock jumps by up to an hour, forward or back, every second."""
    for _ in range(5):
        time.sleep(1.0)
        system.clock.jump(chance.randrange(-3600, 3600))


def poison_records(system: System, chance: Random) -> None:
    """3,000 records that cannot be used, amid the others; a worker is killed between."""
    system.workers.troubled = True
    for _ in range(10):
        time.sleep(chance.uniform(0.0, 0.5))
        with system.workload.turn:
            system.workload.poison(300)
    name = chance.choice(system.workers.names)
    system.workers.kill(name)
    system.workers.start(name)


def output_topic_deleted(system: System, chance: Random) -> None:
    """The results' topic deleted while the workers write to it, and made anew up to 3 s later.

    Results of the clicks from before may be gone with it; those of all later ones have to be there.
    """
    time.sleep(chance.uniform(0.5, 2.0))
    with system.workload.turn:
        system.topics.delete("joined_data")
        _clicks(system).model.excuse_joined()
    time.sleep(chance.uniform(0.0, 3.0))
    system.topics.create("joined_data")


def changelog_truncated(system: System, chance: Random) -> None:
    """All workers killed, all records of the profiles' changelog deleted, in half the rounds their stores too.

    The profiles are then produced again, as whoever deletes a changelog has to.
    """
    time.sleep(chance.uniform(0.5, 2.0))
    names, changelog = system.workers.names, f"{system.topics.id}-user_profiles-changelog"
    with system.workload.turn:
        system.settle()
        for name in names:
            system.workers.kill(name)
        everything = [TopicPartition(changelog, number, OFFSET_END) for number in range(system.topics.partitions)]
        admin = AdminClient({"bootstrap.servers": system.broker.bootstrap})
        # Kafka refuses it where records are only compacted.
        policy = ConfigEntry("cleanup.policy", "compact,delete", incremental_operation=AlterConfigOpType.SET)
        (altered,) = admin.incremental_alter_configs(
            [ConfigResource(ResourceType.TOPIC, changelog, incremental_configs=[policy])]
        ).values()
        altered.result(30)
        for deleted in admin.delete_records(everything).values():
            deleted.result(30)
        if chance.random() < 0.5:
            system.workers.forget_tables()
        system.workers.troubled = True
        _clicks(system).renew()
    for name in names:
        system.workers.start(name)


def _clicks(system: System) -> Clicks:
    """Return the workload of a fault that is for clicks alone."""
    if not isinstance(system.workload, Clicks):
        raise TypeError(f"this fault is not for {system.workload.pipeline}")
    return system.workload


_ALL: tuple[Fault, ...] = (
    nothing,
    worker_killed,
    worker_killed_at_commit,
    all_workers_killed,
    worker_frozen,
    rebalance_storm,
    broker_killed,
    broker_restarted,
    coordinator_lost_in_transaction,
    broker_frozen,
    broker_unreachable,
    broker_unreachable_for_a_minute,
    connections_cut,
    full_producer_buffer,
    slow_consumer,
    poison_records,
    output_topic_deleted,
    changelog_truncated,
    clock_jumps,
)
#: The faults by name.
FAULTS: Mapping[str, Fault] = MappingProxyType({fault.__name__: fault for fault in _ALL})
#: Those that need an agent, an output or a table of theirs.
_OF_CLICKS: Collection[Fault] = (slow_consumer, output_topic_deleted, changelog_truncated)


def meets(pipeline: str, fault: str) -> bool:
    """Tell whether a pipeline can meet a fault."""
    return pipeline == Clicks.pipeline or FAULTS[fault] not in _OF_CLICKS
