"""Faust's side: its app, agents, streams, consumer, producer, tables and recovery, which get and take whole batches.

In: Faust's app and its command line. Out: agents that are run, partitions that are assigned, taken over and given back;
and, before any of it, the checks that a worker makes of itself, of the topics and of the broker (`process`,
`copartition`, `inputs`, `reach`). The one room that knows insides of Faust; every use says which version it was read
from.
"""
