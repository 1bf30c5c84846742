"""Tables' rows in an engine, one store a partition: memory, RocksDB or Redis.

In: changes with the changelog offset that they go up to. Out: rows by key, and in the order of keys. A store tells how
far it is (`standing`), so that a restore knows from where to go on.
"""
