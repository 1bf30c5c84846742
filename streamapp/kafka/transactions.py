"""Producers that send in transactions (KIP-98), as members of a consumer group (KIP-447).

aiokafka knows older versions of the requests only, hence `streamapp.kafka.protocol`. Read from aiokafka 0.14.0
(`aiokafka/producer/sender.py`, `aiokafka/producer/transaction_manager.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from functools import partial
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.client import CoordinationType
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    IllegalGenerationError,
    KafkaError,
    ProducerFenced,
    UnknownMemberIdError,
)
from aiokafka.producer.sender import TxnOffsetCommitHandler
from aiokafka.producer.transaction_manager import TransactionState
from aiokafka.structs import OffsetAndMetadata
from faust.types import TP

from streamapp.kafka.insides import Accumulator, Response, Sender, Transactions
from streamapp.kafka.protocol import Call, Membership, txn_offset_commit

__all__ = ["CLOSE_WITHIN", "can_send", "close", "commit_offsets_as"]

#: Seconds that a producer which is done with may take to abort its transaction, and again to close its connections: a
#: worker that stops does not wait for a broker that is away.
CLOSE_WITHIN: Final = 1.0
#: States of a producer in which its transaction can be aborted.
ABORTABLE: Final = frozenset({TransactionState.IN_TRANSACTION, TransactionState.ABORTABLE_ERROR})
#: Error codes that offsets are refused with when their partitions belong to others now; 82 = FENCED_INSTANCE_ID.
NOT_MINE: Final = frozenset({IllegalGenerationError.errno, UnknownMemberIdError.errno, 82})

Offsets = Mapping[TP, OffsetAndMetadata]


def can_send(producer: AIOKafkaProducer) -> bool:
    """Return whether a producer sends, or can only abort its transaction."""
    transactions: Transactions | None = producer._txn_manager
    if transactions is None or transactions.transactional_id is None:
        return True
    return transactions.state is TransactionState.IN_TRANSACTION


def commit_offsets_as(producer: AIOKafkaProducer, membership: Membership) -> None:
    """Have a producer commit offsets in its transactions as a member of a group."""
    sender: Sender = producer._sender
    sender._do_txn_offset_commit = partial(_commit_offsets, sender, membership)


async def close(producer: AIOKafkaProducer) -> None:
    """Abort what is open, and stop the producer."""
    transactions: Transactions = producer._txn_manager
    _seen(transactions.wait_for_transaction_end())  # which an abort replaces
    for *_, waiter in transactions._pending_txn_offsets:  # whose commit was given up
        waiter.add_done_callback(_seen)
    with contextlib.suppress(KafkaError, TimeoutError):
        async with asyncio.timeout(CLOSE_WITHIN):
            # Not left to whoever begins with this id next: till then readers would get nothing that comes after.
            if transactions.state in ABORTABLE:
                await producer.abort_transaction()
    with contextlib.suppress(KafkaError, TimeoutError):
        async with asyncio.timeout(CLOSE_WITHIN):
            await producer.stop()
    # Those of a producer which was fenced: asyncio need not tell that nobody looked.
    waiting: Accumulator = producer._message_accumulator
    waiters = [batch._drain_waiter for batches in waiting._batches.values() for batch in batches]
    for left in (*waiters, transactions.wait_for_transaction_end()):
        _seen(left)


def _seen(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and waiter.done():
        waiter.exception()


async def _commit_offsets(sender: Sender, membership: Membership, offsets: Offsets, group: str) -> None:
    """Commit offsets as a member of the group; otherwise as aiokafka does (`Sender._do_txn_offset_commit`)."""
    try:
        node = await sender._find_coordinator(CoordinationType.GROUP, group)
    except GroupAuthorizationFailedError as exc:
        sender._txn_manager.error_transaction(exc)
    else:
        await _OffsetCommit(sender, offsets, membership).do(node)


class _OffsetCommit(TxnOffsetCommitHandler):  # type: ignore[misc]
    """Commits offsets in a transaction, as a member of the group."""

    _sender: Sender

    def __init__(self, sender: Sender, offsets: Offsets, membership: Membership) -> None:
        super().__init__(sender, offsets, membership.group)
        self._membership = membership

    def create_request(self) -> Call:
        return txn_offset_commit(self._sender._txn_manager, self._membership, self._offsets)

    def handle_response(self, response: Response) -> float | None:
        if NOT_MINE & {code for _, partitions, _ in response.topics for _, code, _ in partitions}:
            self._sender._txn_manager.error_transaction(ProducerFenced())
            return None
        response.errors = [
            (topic, [(number, code) for number, code, _ in partitions]) for topic, partitions, _ in response.topics
        ]
        backoff_s: float | None = super().handle_response(response)
        return backoff_s
