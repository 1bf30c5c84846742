"""How the values on the topics in are read."""

from __future__ import annotations

from operator import attrgetter
from typing import Final

from streamapp.formats.undecodable import Undecodable
from streamapp.joins import Record, Refused
from streamapp.pipelines.risk.models import AccountProfile, Transaction
from streamapp.runtime.decoding import Decoder

__all__ = ["profiles", "transactions", "usable"]

transactions: Final = Decoder(Transaction, attrgetter("account"), field="account")
profiles: Final = Decoder(AccountProfile, attrgetter("account"), tombstones=True, field="account")


def usable(record: Record) -> None:
    """Raise `Refused` for a record that is no transaction of the account that its key names."""
    try:
        transactions.decode(record)  # type: ignore[arg-type]  # of Kafka, with headers
    except Undecodable as exc:
        raise Refused(exc, exc.reason) from None
