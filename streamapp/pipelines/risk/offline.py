"""The features of transactions without a broker: by the same code as the agents', in one process."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from streamapp.joins import Driver, Event, from_side
from streamapp.pipelines.risk.features import at_account, at_ip, by_account, by_ip
from streamapp.pipelines.risk.models import AccountProfile, ByIp, Features, Transaction
from streamapp.pipelines.risk.settings import RiskSettings
from streamapp.produce.times import Unit
from streamapp.replay.files import BATCH_RECORDS, Order, raw, read_records, text, time_of
from streamapp.replay.spec import Fields
from streamapp.windows import Featured

__all__ = ["TRANSACTION", "Offline", "Told", "Unusable", "replay"]

#: What a record is from.
PROFILE, TRANSACTION = range(2)

_transaction: Final = msgspec.json.Decoder(Transaction).decode
_profile: Final = msgspec.json.Decoder(AccountProfile).decode
_encode: Final = msgspec.json.Encoder().encode


class Told(msgspec.Struct, frozen=True, gc=False):
    """A transaction with its features, as it is printed; ``time`` is in ms."""

    transaction_id: str
    account: str
    ip: str
    amount: float
    time: int
    features: Features
    late: bool


class Unusable(msgspec.Struct, frozen=True, gc=False):
    """A record that cannot be used, as it is printed."""

    rejected: str
    key: str | None
    value: msgspec.Raw
    time: int


class Sum(msgspec.Struct, frozen=True):
    """The last line."""

    transactions: int
    late: int
    rejected: int


class Offline:
    """The features of transactions, as the agents make them; each call is a batch of its own.

    Args:
        grace: how far (ms) a transaction may be behind.
    """

    def __init__(self, grace: int = 0) -> None:
        self._accounts: Driver[Featured] = Driver(by_account(grace))
        self._ips: Driver[Featured] = Driver(by_ip(grace))
        self._profiles: dict[bytes, AccountProfile] = {}

    def restart(self) -> None:
        """Start again on what was kept, as after a crash."""
        self._accounts.restart()
        self._ips.restart()

    def process(self, batch: Iterable[tuple[int, Event]]) -> list[Told | Unusable]:
        """Return what becomes of a batch of profiles and transactions: first of those that cannot be used."""
        told: list[Told | Unusable] = []
        usable: list[tuple[Event, Transaction, AccountProfile | None]] = []
        for source, record in batch:
            try:
                if source == PROFILE:
                    self._keep(record)
                else:
                    transaction = _transaction(record.value or b"")
                    usable.append((record, transaction, self._profiles.get(record.key or b"")))
            except (msgspec.DecodeError, UnicodeDecodeError) as exc:
                told.append(Unusable(str(exc), text(record.key), raw(record), record.timestamp))
        return [*told, *self._featured(usable)]

    def _keep(self, record: Event) -> None:
        key = record.key or b""
        if record.value is None:
            self._profiles.pop(key, None)
        else:
            self._profiles[key] = _profile(record.value)

    def _featured(self, usable: list[tuple[Event, Transaction, AccountProfile | None]]) -> list[Told]:
        first = self._accounts.process(from_side(0, [record for record, _, _ in usable])).results
        sent = [
            at_account(featured, transaction, profile)
            for featured, (_, transaction, profile) in zip(first, usable, strict=True)
        ]
        second = self._ips.process(
            (0, Event(one.transaction.ip.encode(), _encode(one), record.timestamp))
            for one, (record, _, _) in zip(sent, usable, strict=True)
        ).results
        self._accounts.results.clear()
        self._ips.results.clear()
        return [_told(featured, one) for featured, one in zip(second, sent, strict=True)]


def _told(featured: Featured, sent: ByIp) -> Told:
    transaction = sent.transaction
    return Told(
        transaction.transaction_id,
        transaction.account,
        transaction.ip,
        transaction.amount,
        featured.timestamp,
        at_ip(featured, sent),
        bool(featured.late_by or sent.late_by),
    )


def replay(
    settings: RiskSettings,
    order: Order,
    transactions: tuple[str, Iterable[bytes]],
    accounts: tuple[str, Iterable[bytes]] | None,
) -> Iterator[Told | Unusable | Sum]:
    """Return the features of the transactions in a file, with the profiles in another one; both with their names.

    The lines are values as on the topics, with the event time in the field ``time`` of a transaction, and in
    ``opened`` of a profile.

    Raises:
        ReplayError: for a line that is no record; the text has the file's name and the line's number.
    """
    files = [read_records(TRANSACTION, Fields("account", "time", unit=Unit.MILLISECONDS), *transactions)]
    if accounts is not None:
        files.insert(0, read_records(PROFILE, Fields("account", "opened", unit=Unit.MILLISECONDS), *accounts))
    if order is Order.EVENT_TIME:
        records = iter(sorted(itertools.chain(*files), key=time_of))
    else:
        records = heapq.merge(*files, key=time_of)
    offline, counts = Offline(int(settings.risk_grace * 1000)), [0, 0, 0]
    while batch := list(itertools.islice(records, BATCH_RECORDS)):
        for one in offline.process(batch):
            counts[0] += 1
            counts[1] += isinstance(one, Told) and one.late
            counts[2] += isinstance(one, Unusable)
            yield one
    yield Sum(*counts)
