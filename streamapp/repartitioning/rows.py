"""The rows of a changelog's partition: of each key the last record, if it is no tombstone."""

from __future__ import annotations

from faust.types import TP

from streamapp.joins.rows import Row
from streamapp.kafka.admin import ClusterError
from streamapp.kafka.log_reader import Log

__all__ = ["rows_of"]


def rows_of(log: Log, changelog: TP) -> dict[bytes, Row]:
    """Read the rows of one partition of a changelog; of transactions only what is committed.

    Raises:
        ClusterError: if it was not read to its end.
        LogError: if the broker does not answer.
    """
    rows: dict[bytes, Row] = {}
    scan = log.scan(changelog, 0)
    for record in scan:
        if record.key is None:
            continue
        if record.value is None:
            rows.pop(record.key, None)
        else:
            rows[record.key] = Row(record.value, record.timestamp)
    if not scan.complete:
        raise ClusterError(f"{changelog.topic}[{changelog.partition}] could not be read to its end")
    return rows
