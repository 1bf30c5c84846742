"""What the agents write: a transaction on its way to its IP, and what is thought of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, cast

import msgspec

from streamapp.joins import Record, Row
from streamapp.kafka.record import Envelope, Result
from streamapp.kafka.record import Record as Received
from streamapp.pipelines.risk.features import at_account, at_ip
from streamapp.pipelines.risk.models import AccountProfile, ByIp, Candidate, Decision, Score
from streamapp.pipelines.risk.values import used
from streamapp.runtime.batch import Batch
from streamapp.topology.hop import handed_on
from streamapp.windows import Featured

__all__ = ["arrived", "at_once", "on_to_ip", "records"]

_profile: Final = msgspec.json.Decoder(AccountProfile).decode
_sent: Final = msgspec.json.Decoder(ByIp).decode
_encode: Final = msgspec.json.Encoder().encode


def on_to_ip(
    featured: Sequence[Featured], profiles: Sequence[Row | None], partition: int
) -> Iterator[tuple[bytes, Record, bytes]]:
    """Yield for transactions of a partition their IP, themselves, and what their accounts tell of them."""
    for one, sent in zip(featured, _at_account(featured, profiles, partition), strict=True):
        yield sent.transaction.ip.encode(), one.record, _encode(sent)


def at_once(featured: Sequence[Featured], profiles: Sequence[Row | None], partition: int) -> list[Candidate]:
    """Return transactions of a partition with all features, which one enrichment told."""
    return [at_ip(one, sent) for one, sent in zip(featured, _at_account(featured, profiles, partition), strict=True)]


def _at_account(featured: Sequence[Featured], profiles: Sequence[Row | None], partition: int) -> Iterator[ByIp]:
    paid = used([one.record for one in featured])
    for one, transaction, row in zip(featured, paid, profiles, strict=True):
        profile = None if row is None else _profile(row.value)
        yield at_account(one, transaction, profile, (partition, one.record.offset))


def arrived(featured: Sequence[Featured]) -> list[Candidate]:
    """Return the transactions that came to their IPs, with all features."""
    return [at_ip(one, _sent(one.record.value or b"")) for one in featured]


def records(batch: Batch, featured: Sequence[Featured], scores: Sequence[Score]) -> tuple[list[Result], list[Result]]:
    """Return what goes to the topic of scores, and what of it is an alert, too: both by account."""
    places = dict(zip(map(id, batch), map(batch.source, range(len(batch))), strict=True))
    told: list[Result] = []
    alerts: list[Result] = []
    for one, score in zip(featured, scores, strict=True):
        record = cast(Received, one.record)
        headers = handed_on(record.headers) if record.headers else []
        envelope = Envelope(score.account.encode(), record.timestamp, headers, record, places[id(record)])
        told.append((envelope, _encode(score)))
        if score.decision is not Decision.ACCEPT:
            alerts.append(told[-1])
    return told, alerts
