"""What this room uses of aiokafka, which has no types: private names included, read from aiokafka 0.14.0.

`tests/seams` holds what is installed against these protocols.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import (
    Awaitable,
    Callable,
    Collection,
    Iterator,
    Mapping,
    MutableMapping,
    MutableSequence,
    Sequence,
)
from typing import Any, Protocol

from aiokafka.structs import OffsetAndMetadata, RecordMetadata
from faust.types import TP

from streamapp.kafka.record import Record

#: Fields in the order of a request's or a response's schema.
Fields = tuple[Any, ...]


class Request(Protocol):
    """A request with topics; aiokafka's others are only passed on."""

    topics: MutableSequence[tuple[str, MutableSequence[Fields]]]


class Response(Protocol):
    """A response, of whichever request: each has some of these."""

    topics: Sequence[Fields]
    groups: Sequence[Fields]
    resources: Sequence[Fields]
    error_code: int
    errors: Sequence[Fields]


class Metadata(Protocol):
    """`ClusterMetadata`: what the last answer said of the cluster."""

    unauthorized_topics: set[str]

    def leader_for_partition(self, tp: TP) -> int | None: ...
    def partitions_for_topic(self, topic: str) -> set[int] | None: ...
    def available_partitions_for_topic(self, topic: str) -> set[int] | None: ...


class Client(Protocol):
    """`AIOKafkaClient`."""

    cluster: Metadata
    _metadata_update: Callable[[Metadata, Collection[str] | None], Awaitable[bool]]

    def get_random_node(self) -> int: ...
    def add_topic(self, topic: str) -> Awaitable[bool]: ...
    async def send(self, node: int, request: object, *, group: int = ...) -> Response: ...
    async def ready(self, node: int) -> bool: ...
    def force_metadata_update(self) -> Awaitable[bool]: ...
    async def _maybe_wait_metadata(self) -> None: ...


class Position(Protocol):
    """`TopicPartitionState`: how far a partition is read, and what the last fetch told of it."""

    paused: bool
    has_valid_position: bool
    position: int
    highwater: int
    lso: int
    timestamp: int | None


class Assignment(Protocol):
    """The partitions that are read, until there are others."""

    active: bool
    tps: Collection[TP]

    def state_value(self, tp: tuple[str, int]) -> Position: ...


class Subscription(Protocol):
    """What was subscribed to, or assigned."""

    assignment: Assignment | None


class Subscriptions(Protocol):
    """`SubscriptionState`."""

    subscription: Subscription | None


class ReadBatch(Protocol):
    """`DefaultRecordBatch`: a record batch that was fetched."""

    base_offset: int
    next_offset: int
    producer_id: int | None
    is_transactional: bool
    is_control_batch: bool

    def validate_crc(self) -> bool: ...
    def __iter__(self) -> Iterator[Record]: ...


class PlainBatch(Protocol):
    """`_DefaultRecordBatchPy`: a record batch as aiokafka reads it where it is not compiled."""

    LOG_APPEND_TIME: int
    base_offset: int
    first_timestamp: int
    max_timestamp: int
    timestamp_type: int
    _buffer: bytes
    _pos: int
    _num_records: int

    def _maybe_uncompress(self) -> None: ...


class ReadBatches(Protocol):
    """`MemoryRecords`."""

    def has_next(self) -> bool: ...
    def next_batch(self) -> ReadBatch: ...


class PartitionRecords(Protocol):
    """The record batches that were fetched of a partition, and (`keep_bytes`) their bytes, read up to `at`."""

    _tp: TP
    _records: ReadBatches
    _records_iterator: object
    _check_crcs: bool
    _isolation_level: int
    _aborted_producers: set[int]
    next_fetch_offset: int
    data: bytes
    at: int

    def _consume_aborted_up_to(self, offset: int) -> None: ...


class Fetched(Protocol):
    """`FetchResult`, or `FetchError`, which has `check_raise` only."""

    _topic_partition: TP
    _partition_records: PartitionRecords | None

    def check_assignment(self, tp: TP) -> bool: ...
    def has_more(self) -> bool: ...
    def check_raise(self) -> None: ...
    def _update_position(self) -> None: ...


class Fetcher(Protocol):
    """aiokafka's fetcher."""

    _client: Client
    _records: MutableMapping[TP, Fetched]
    _subscriptions: Subscriptions
    _isolation_level: int
    _prefetch_backoff: float
    _fetch_max_wait_ms: int
    _wait_consume_future: asyncio.Future[None] | None
    _proc_fetch_request: Callable[[Assignment, int, Request], Awaitable[bool]]
    _get_actions_per_node: Callable[[Assignment], Fields]

    def _notify(self, waiting: asyncio.Future[None] | None) -> None: ...
    def _create_fetch_waiter(self) -> asyncio.Future[None]: ...


class Coordinator(Protocol):
    """`GroupCoordinator`: this worker's place in its group."""

    group_id: str
    member_id: str
    _group_instance_id: str | None
    _session_timeout_ms: int
    _rebalance_timeout_ms: int
    _send_req: Callable[[object], Awaitable[Response]]
    reset_generation: Callable[[], None]

    def coordinator_dead(self) -> None: ...
    async def ensure_coordinator_known(self) -> None: ...
    async def fetch_committed_offsets(self, tps: Collection[TP]) -> Mapping[TP, OffsetAndMetadata]: ...


class Transactions(Protocol):
    """`TransactionManager`, which numbers what an idempotent producer sends, too."""

    transactional_id: str | None
    producer_id: int
    producer_epoch: int
    state: object
    _pending_txn_offsets: Collection[tuple[object, str, asyncio.Future[None]]]

    def increment_sequence_number(self, tp: TP, count: int) -> None: ...
    def error_transaction(self, error: BaseException) -> None: ...
    def wait_for_transaction_end(self) -> asyncio.Future[None] | None: ...


class Builder(Protocol):
    """`BatchBuilder`: a record batch that records are put into."""

    def append(
        self,
        *,
        timestamp: int | None,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]] = ...,
    ) -> object: ...
    def close(self) -> None: ...


class ProducedBatch(Protocol):
    """`MessageBatch`: a record batch that waits, or is under way."""

    tp: TP
    record_count: int
    future: asyncio.Future[RecordMetadata | None]
    _builder: object
    _drain_waiter: asyncio.Future[None]
    #: Of records that were sent one by one: what their senders wait for.
    _msg_futures: list[tuple[asyncio.Future[RecordMetadata], object]]

    def get_data_buffer(self) -> bytes | bytearray: ...
    def done_noack(self) -> None: ...
    def failure(self, error: BaseException) -> None: ...


class Accumulator(Protocol):
    """`MessageAccumulator`: what waits to be sent."""

    _txn_manager: Transactions | None
    _batch_size: int
    _batch_ttl: float
    _compression_type: int
    _linger_time: float
    _waiter_future: asyncio.Future[None]
    _batches: MutableMapping[TP, deque[ProducedBatch]]

    def create_builder(self) -> Builder: ...
    def _wakeup(self, waiter: asyncio.Future[None]) -> None: ...


class BusyBrokers(Protocol):
    """A set of brokers, of which each is left out that is in it."""

    def add(self, broker: int) -> None: ...
    def remove(self, broker: int) -> None: ...
    def __contains__(self, broker: int) -> bool: ...


class Sender(Protocol):
    """Sends what waits."""

    _txn_manager: Transactions
    _message_accumulator: Accumulator
    _in_flight: BusyBrokers
    sender_task: asyncio.Task[None]
    _retry_backoff: float
    _muted_partitions: set[TP]
    _send_produce_req: Callable[[int, MutableMapping[TP, ProducedBatch]], Awaitable[None]]
    _do_txn_offset_commit: Callable[..., Awaitable[None]]

    async def _find_coordinator(self, kind: object, key: str) -> int: ...
