from __future__ import annotations

from streamapp.cli.lag import told
from streamapp.kafka.lag import GroupLag, PartitionLag


def test_the_lag_is_a_table_with_its_sum_in_the_last_line() -> None:
    partitions = [
        PartitionLag("clicks", 0, 1_000, 2_500, 1_500, 61_240, "worker-1"),
        PartitionLag("clicks", 10, None, 20, 20, None, None),
    ]
    assert told(GroupLag("streamapp", "stable", 1_520, partitions)).splitlines() == [
        "TOPIC   PARTITION  COMMITTED    END    LAG  BEHIND  MEMBER",
        "clicks          0      1,000  2,500  1,500  61.2 s  worker-1",
        "clicks         10          -     20     20       ?  -",
        "streamapp: stable, members: 1, lag: 1,520",
    ]


def test_what_cannot_be_read_before_a_transaction_ends_is_told_with_its_topics() -> None:
    partitions = [
        PartitionLag("clicks", 0, 5, 5, 0, 0, "worker-1", withheld=1_200),
        PartitionLag("clicks", 1, 5, 5, 0, 0, "worker-1", withheld=3),
        PartitionLag("profiles", 0, 5, 5, 0, 0, "worker-1"),
    ]
    assert told(GroupLag("streamapp", "stable", 0, partitions)).endswith(
        "streamapp: stable, members: 1, lag: 0, behind open transactions in clicks: 1,203"
    )
