"""How the values on the topics in are read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from operator import attrgetter
from typing import Final, cast

from streamapp.formats.undecodable import Undecodable
from streamapp.joins import Record, Refused
from streamapp.kafka.record import Record as Received
from streamapp.pipelines.risk.models import AccountProfile, Transaction
from streamapp.runtime.decoding import Decoder

__all__ = ["doubtful", "ips", "profiles", "transactions", "usable", "used"]

transactions: Final = Decoder(Transaction, attrgetter("account"), field="account")
profiles: Final = Decoder(AccountProfile, attrgetter("account"), tombstones=True, field="account")


def usable(record: Record) -> None:
    """Raise `Refused` for a record that is no transaction of the account that its key names."""
    try:
        transactions.decode(record)  # type: ignore[arg-type]  # of Kafka, with headers
    except Undecodable as exc:
        raise Refused(exc, exc.reason) from None


def doubtful(records: Sequence[Record]) -> Collection[int]:
    """Return the numbers of the records that may not be transactions of the accounts that their keys name."""
    return transactions.doubtful(cast("Sequence[Received]", records))


def used(records: Sequence[Record]) -> Sequence[Transaction]:
    """Return the transactions of records that can be used."""
    received = cast("Sequence[Received]", records)
    if (together := transactions.together(received)) is not None:
        return together
    return [cast(Transaction, transactions.decode(record)) for record in received]


def ips(records: Sequence[Record]) -> list[bytes]:
    """Return the IPs of transactions that can be used."""
    return [transaction.ip.encode() for transaction in used(records)]
