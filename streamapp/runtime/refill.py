"""A changelog that was deleted and made anew gets the rows that the store has: nothing else has them any more.

Whoever owns the rows writes them before its agents go on, as commits like any other. That it is about to is kept with
the store before, so that a worker which is killed meanwhile begins again.
"""

from __future__ import annotations

import itertools
import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from streamapp.runtime.uncommitted import Uncommitted
from streamapp.stores.standing import Standing

if TYPE_CHECKING:
    from streamapp.runtime.checkpoint import Checkpoint

__all__ = ["refill"]

logger = logging.getLogger(__name__)

#: Rows of one commit.
ROWS: Final = 20_000


async def refill(checkpoint: Checkpoint, rows: Uncommitted, topic_id: str | None) -> bool:
    """Write all rows of a partition to its changelog.

    Args:
        checkpoint: commits.
        rows: the partition; nothing else writes to it.
        topic_id: of the changelog; None = not known.

    Returns:
        whether it was possible; else the group rebalances.
    """
    before, began, count = rows.committed.standing, time.monotonic(), 0
    seen = before.in_step_ms and datetime.fromtimestamp(before.in_step_ms / 1000, UTC)
    logger.warning(
        "The changelog %s[%d] was deleted and made anew (id %s, now %s): the rows of the store are written to it%s",
        *rows.changelog,
        before.topic_id,
        topic_id,
        f"; it was last known to be in step at {seen:%Y-%m-%d %H:%M:%S} UTC" if seen else "",
    )
    items = iter(rows.committed.items())
    while chunk := dict(itertools.islice(items, ROWS)):
        rows.merge(chunk)
        while rows.fresh and not checkpoint.over:  # the commit that is due every second may have them, too
            await checkpoint.commit()
        if checkpoint.over:
            return False
        count += len(chunk)
    rows.committed.stand(Standing(topic_id, int(time.time() * 1000)))
    logger.warning(
        "The changelog %s[%d] has the rows again: %s, in %.1f s",
        *rows.changelog,
        f"{count:,}",
        time.monotonic() - began,
    )
    return True
