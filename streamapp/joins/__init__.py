"""What a join means: pure Python, without Kafka, Faust, a clock of its own or I/O.

In: records, each of a side, in the order in which they are to be joined; a state, which is a sorted mapping. Out:
results, side outputs, changes of the state, and accounts that add up (`balance`). `docs/joins.md` is what they promise.
"""

from streamapp.joins.as_of import AsOfJoin, Direction
from streamapp.joins.balance import Balance, Updates
from streamapp.joins.clock import Clock, Wall
from streamapp.joins.driver import Driver
from streamapp.joins.explanation import Candidate, Explanation, Verdict
from streamapp.joins.foreign_key import ForeignKeyJoin
from streamapp.joins.global_table import GlobalTable
from streamapp.joins.held import Held, Holding
from streamapp.joins.how import How
from streamapp.joins.idle import IdleTimeout
from streamapp.joins.join import Join, Operator
from streamapp.joins.ledger import Refused
from streamapp.joins.n_way import Enriched, NWayJoin
from streamapp.joins.output import Joined, Output, Reason, SideOutput
from streamapp.joins.records import Batch, Event, Record, Side, both_sides, from_side
from streamapp.joins.rows import Row
from streamapp.joins.state import MemoryStore, State, Store
from streamapp.joins.stream_stream import StreamStreamJoin
from streamapp.joins.stream_table import StreamTableJoin
from streamapp.joins.table_table import TableTableJoin
from streamapp.joins.windowed_reduce import WindowedReduce, WindowedValue

__all__ = [
    "AsOfJoin",
    "Balance",
    "Batch",
    "Candidate",
    "Clock",
    "Direction",
    "Driver",
    "Enriched",
    "Event",
    "Explanation",
    "ForeignKeyJoin",
    "GlobalTable",
    "Held",
    "Holding",
    "How",
    "IdleTimeout",
    "Join",
    "Joined",
    "MemoryStore",
    "NWayJoin",
    "Operator",
    "Output",
    "Reason",
    "Record",
    "Refused",
    "Row",
    "Side",
    "SideOutput",
    "State",
    "Store",
    "StreamStreamJoin",
    "StreamTableJoin",
    "TableTableJoin",
    "Updates",
    "Verdict",
    "Wall",
    "WindowedReduce",
    "WindowedValue",
    "both_sides",
    "from_side",
]
