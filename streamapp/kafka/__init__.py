"""The Kafka clients, and the one room that knows insides of aiokafka.

In: connection settings, partitions and offsets. Out: records as they lie in fetched record batches (`reader`,
`record_reader`), record batches on their way to the broker (`record_writer`, `produce_request`, `pipelining`),
transactions and group membership (`transactions`, `group`), what the cluster has (`admin`, `log_reader`, `lag`).

Every use of a private name says which version of aiokafka it was read from.
"""
