"""What a function raises: the record is rejected and told, with the traceback if it is not a refusal."""

from __future__ import annotations

import traceback
from typing import Final

from streamapp.joins import Refused

__all__ = ["AGENT_FAILED", "Failed", "refusal"]

#: The cause of a record at which a function failed, as that of one at which an agent did.
AGENT_FAILED: Final = "agent_failed"


class Failed(Refused):
    """A function failed at a record."""

    def __init__(self, error: Exception) -> None:
        super().__init__(repr(error), AGENT_FAILED)
        self.traceback = "".join(traceback.format_exception(error))


def refusal(error: Exception) -> Refused:
    """Return why a record is rejected at which a function raised this."""
    return error if isinstance(error, Refused) else Failed(error)
