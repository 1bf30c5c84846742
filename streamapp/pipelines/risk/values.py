"""How the values on the topics in are read."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Final, cast

from streamapp.formats.undecodable import Undecodable
from streamapp.joins import Record, Refused
from streamapp.kafka.record import Record as Received
from streamapp.pipelines.risk.models import AccountProfile, Transaction
from streamapp.runtime.decoding import Decoder

__all__ = ["all_usable", "profiles", "transactions", "usable"]

transactions: Final = Decoder(Transaction, attrgetter("account"), field="account")
profiles: Final = Decoder(AccountProfile, attrgetter("account"), tombstones=True, field="account")


def usable(record: Record) -> None:
    """Raise `Refused` for a record that is no transaction of the account that its key names."""
    try:
        transactions.decode(record)  # type: ignore[arg-type]  # of Kafka, with headers
    except Undecodable as exc:
        raise Refused(exc, exc.reason) from None


def all_usable(records: Sequence[Record]) -> bool:
    """Return whether all records are surely transactions of the accounts that their keys name; if not, some may be."""
    return transactions.together(cast("Sequence[Received]", records)) is not None
