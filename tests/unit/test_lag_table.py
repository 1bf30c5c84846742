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
        "clicks         10          -     20     20       -  -",
        "streamapp: stable, members: 1, lag: 1,520",
    ]
