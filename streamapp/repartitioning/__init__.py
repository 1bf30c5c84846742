"""Moves the rows of tables to the partitions where their keys are, once the topics have more of them.

In: an app of which no worker runs. Out: a plan that is shown, and done if asked for. The changelog stays the same
topic: it gets the partitions that it lacks, the rows that move are written where they belong, with their event times,
and then deleted where they were; the workers' stores follow by their usual recovery. While that is under way there is a
topic beside the changelog that keeps workers from starting; what was broken off is done by the next try.
"""
