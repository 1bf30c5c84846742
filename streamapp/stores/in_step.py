"""When a store was last in step with its changelog, as it keeps that itself."""

from __future__ import annotations

from collections.abc import Mapping

from streamapp.stores.partition import PartitionStore
from streamapp.stores.standing import NOTE_EVERY_MS, Standing

__all__ = ["keep_in_step"]


def keep_in_step(
    store: PartitionStore, at_ms: int, *, topic_id: str | None = None, inputs: Mapping[str, str] | None = None
) -> None:
    """Take note that a store was in step with its changelog.

    Args:
        store: the store.
        at_ms: the wall clock at which it was, in ms.
        topic_id: of the changelog; None = as before.
        inputs: ids of the topics that are read; None = as before.
    """
    then = store.standing
    now = Standing(
        topic_id or then.topic_id, at_ms, then.successor, then.inputs if inputs is None else then.inputs | dict(inputs)
    )
    is_old = then.in_step_ms is None or not 0 <= at_ms - then.in_step_ms < NOTE_EVERY_MS
    if is_old or (now.topic_id, now.inputs) != (then.topic_id, then.inputs):
        store.stand(now)
