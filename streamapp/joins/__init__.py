"""What a join means: pure Python, without Kafka, Faust, a clock of its own or I/O."""

from streamapp.joins.clock import Clock
from streamapp.joins.rows import Row
from streamapp.joins.stream_table import How, Missing, StreamTableJoin

__all__ = ["Clock", "How", "Missing", "Row", "StreamTableJoin"]
