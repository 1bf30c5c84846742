"""Why a record joined, or did not.

In: a topic, a partition, an offset. Out: an `Answer`. A join is asked through `ExplainedJoin`: what of its topics was
read, that what it has done is committed, what its state holds. What the state has forgotten is in topics: results, side
outputs, dead letters (`evidence`).
"""
