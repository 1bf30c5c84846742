"""Records that cannot be used."""

from __future__ import annotations

import dataclasses

from faust.types import TP

from streamapp.formats.undecodable import Reason
from streamapp.kafka.record import Record

__all__ = ["Rejected"]


@dataclasses.dataclass(frozen=True, slots=True)
class Rejected:
    """A record that cannot be used, where it is from, why, and the error in words."""

    tp: TP
    record: Record
    reason: Reason
    error: str
    #: The traceback of what an agent raised.
    traceback: str = ""
    #: The join that rejected it, which keeps accounts of its own.
    join: str = ""
