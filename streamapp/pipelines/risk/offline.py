"""The features of transactions without a broker: by the same code as the agents', in one process."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from streamapp.formats.fields import shown
from streamapp.joins import Driver, Event, from_side
from streamapp.pipelines.risk.features import at_account, at_ip, by_account, by_ip
from streamapp.pipelines.risk.models import AccountProfile, Candidate, Features, Transaction
from streamapp.pipelines.risk.settings import RiskSettings
from streamapp.produce.times import Unit
from streamapp.replay.errors import ReplayError
from streamapp.replay.files import BATCH_RECORDS, Order, read_records, text, time_of
from streamapp.replay.spec import Fields
from streamapp.windows import Featured

__all__ = ["Counts", "Offline", "Told", "Unusable", "replay"]

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


class Counts(msgspec.Struct, frozen=True):
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
        self._known: dict[str, AccountProfile] = {}

    def restart(self) -> None:
        """Start again on what was kept, as after a crash."""
        self._accounts.restart()
        self._ips.restart()

    def keep(self, profile: bytes) -> None:
        """Keep the profile of an account.

        Raises:
            msgspec.DecodeError: if it is none.
        """
        found = _profile(profile)
        self._known[found.account] = found

    def process(self, batch: Iterable[Event]) -> tuple[list[Candidate], list[Unusable]]:
        """Return the transactions of a batch with their features, and those that cannot be used."""
        records: list[Event] = []
        transactions: list[Transaction] = []
        unusable = []
        for record in batch:
            try:
                transactions.append(_keyed(record))
            except ValueError as exc:
                unusable.append(_unusable(record, str(exc)))
            else:
                records.append(record)
        return self._featured(records, transactions), unusable

    def _featured(self, records: list[Event], transactions: list[Transaction]) -> list[Candidate]:
        told = self._accounts.process(from_side(0, records)).results
        sent = [
            at_account(featured, transaction, self._known.get(transaction.account))
            for featured, transaction in zip(told, transactions, strict=True)
        ]
        by_their_ips = [
            Event(one.transaction.ip.encode(), _encode(one), record.timestamp)
            for one, record in zip(sent, records, strict=True)
        ]
        told = self._ips.process(from_side(0, by_their_ips)).results
        self._accounts.results.clear()
        self._ips.results.clear()
        return [at_ip(featured, one) for featured, one in zip(told, sent, strict=True)]


def replay(
    settings: RiskSettings,
    order: Order,
    transactions: tuple[str, Iterable[bytes]],
    accounts: tuple[str, Iterable[bytes]] | None,
) -> Iterator[Told | Unusable | Counts]:
    """Return the features of the transactions in a file, with the profiles in another one; both with their names.

    The lines are values as on the topics; the event time of a transaction is in its field ``time`` (ms). Of several
    profiles of an account the last one counts.

    Raises:
        ReplayError: for a line that is no record; the text has the file's name and the line's number.
    """
    offline = Offline(int(settings.risk_grace * 1000))
    if accounts is not None:
        _keep(offline, *accounts)
    numbered = read_records(0, Fields("account", "time", unit=Unit.MILLISECONDS), *transactions)
    records = (record for _, record in (sorted(numbered, key=time_of) if order is Order.EVENT_TIME else numbered))
    told = late = rejected = 0
    while batch := list(itertools.islice(records, BATCH_RECORDS)):
        candidates, unusable = offline.process(batch)
        told += len(candidates)
        late += sum([one.late for one in candidates])
        rejected += len(unusable)
        yield from map(_told, candidates)
        yield from unusable
    yield Counts(told + rejected, late, rejected)


def _keyed(record: Event) -> Transaction:
    """Return the transaction that a record has, by its account; a `ValueError` if it has none."""
    if record.value is None:
        raise ValueError("the record has no value")
    transaction = _transaction(record.value)
    if record.key != transaction.account.encode():
        raise ValueError(f"the key {record.key!r} is not the account")
    return transaction


def _unusable(record: Event, why: str) -> Unusable:
    try:
        value = msgspec.Raw(record.value or b"null")
        msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        value = msgspec.Raw(msgspec.json.encode((record.value or b"").decode(errors="backslashreplace")))
    return Unusable(why, text(record.key), value, record.timestamp)


def _keep(offline: Offline, name: str, profiles: Iterable[bytes]) -> None:
    for number, line in enumerate(map(bytes.strip, profiles), start=1):
        try:
            if line:
                offline.keep(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            raise ReplayError(f"{name}:{number}: {exc}: {shown(line)}") from None


def _told(candidate: Candidate) -> Told:
    one = candidate.transaction
    return Told(one.transaction_id, one.account, one.ip, one.amount, candidate.time, candidate.features, candidate.late)
