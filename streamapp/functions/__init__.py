"""Functions of one stream: pure Python, without Kafka, Faust, a clock of its own or I/O.

In: records of a partition in the order in which they came, their values decoded; for `Process` a state, which is a
sorted mapping. Out: records, side outputs, changes of the state, and accounts that add up. `docs/functions.md` is what
they promise.
"""

from streamapp.functions.context import Context, Emitted, Timer
from streamapp.functions.process import Process
from streamapp.functions.record import TypedRecord

__all__ = ["Context", "Emitted", "Process", "Timer", "TypedRecord"]
