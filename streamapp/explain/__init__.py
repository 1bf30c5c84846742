"""Why a record joined, or did not.

In: a topic, a partition, an offset. Out: an `Answer`, by what the state of the join holds and by the topics in which
stands what became of records: results, side outputs, dead letters (`evidence`).
"""
