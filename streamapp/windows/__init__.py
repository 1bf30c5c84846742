"""Windows of one stream: pure Python, without Kafka, Faust, a clock of its own or I/O.

In: records of a partition in the order in which they came; a state, which is a sorted mapping. Out: the aggregates of
each key and window (`Windowed`), side outputs, changes of the state, and accounts that add up. `docs/windows.md` is
what they promise.
"""
