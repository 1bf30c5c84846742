"""Faust's side: its app, agents, streams, consumer, producer, tables and recovery, which get and take whole batches.

In: an app and Faust's command line. Out: before the group is joined, checks of host, topics and broker, and the topics
that are missing (`process`); then agents that are run, partitions that are assigned, recovered and given back. Faust
loads the parts by their names: they import the app, and it does not import them. The one room that knows insides of
Faust; every use says which version it was read from.
"""
