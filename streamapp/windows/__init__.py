"""Windows of one stream: pure Python, without Kafka, Faust, a clock of its own or I/O.

In: records of a partition in the order in which they came; a state, which is a sorted mapping. Out: the aggregates of
each key and window (`Windowed`), side outputs, changes of the state, and accounts that add up. `docs/windows.md` is
what they promise.
"""

from streamapp.windows.aggregate import Aggregate, Place
from streamapp.windows.count import Count
from streamapp.windows.counted import CountWindows, each, last
from streamapp.windows.emission import Emission
from streamapp.windows.enrichment import Enrichment, Feature, Featured, FurtherKey
from streamapp.windows.extremes import Max, Min
from streamapp.windows.fields import Fields
from streamapp.windows.frequencies import ApproxTopK, Distinct, TopK
from streamapp.windows.look_back import LookBack, look_back
from streamapp.windows.numbers import Mean, Sum
from streamapp.windows.order import Collect, First, Last
from streamapp.windows.own import Own
from streamapp.windows.sessions import Sessions, session
from streamapp.windows.sketches import ApproxDistinct, Quantiles
from streamapp.windows.time_windows import TimeWindows, hopping, tumbling
from streamapp.windows.variance import StdDev, Variance
from streamapp.windows.windowed import Windowed
from streamapp.windows.windowed_aggregate import WindowedAggregate, Windows

__all__ = [
    "Aggregate",
    "ApproxDistinct",
    "ApproxTopK",
    "Collect",
    "Count",
    "CountWindows",
    "Distinct",
    "Emission",
    "Enrichment",
    "Feature",
    "Featured",
    "Fields",
    "First",
    "FurtherKey",
    "Last",
    "LookBack",
    "Max",
    "Mean",
    "Min",
    "Own",
    "Place",
    "Quantiles",
    "Sessions",
    "StdDev",
    "Sum",
    "TimeWindows",
    "TopK",
    "Variance",
    "Windowed",
    "WindowedAggregate",
    "Windows",
    "each",
    "hopping",
    "last",
    "look_back",
    "session",
    "tumbling",
]
