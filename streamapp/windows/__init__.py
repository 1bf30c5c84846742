"""Windows of one stream: pure Python, without Kafka, Faust, a clock of its own or I/O.

In: records of a partition in the order in which they came; a state, which is a sorted mapping. Out: the aggregates of
each key and window (`Windowed`), side outputs, changes of the state, and accounts that add up. `docs/windows.md` is
what they promise.
"""

from streamapp.windows.emission import Emission
from streamapp.windows.sessions import Sessions, session
from streamapp.windows.time_windows import TimeWindows, hopping, tumbling
from streamapp.windows.windowed import Windowed
from streamapp.windows.windowed_aggregate import Fields, WindowedAggregate, Windows

__all__ = [
    "Emission",
    "Fields",
    "Sessions",
    "TimeWindows",
    "Windowed",
    "WindowedAggregate",
    "Windows",
    "hopping",
    "session",
    "tumbling",
]
