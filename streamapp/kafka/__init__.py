"""The Kafka clients, and the one room that knows insides of aiokafka.

In: connection settings, partitions and offsets. Out: records as they lie in fetched record batches (`reader`,
`record_reader`), record batches on their way to the broker (`record_writer`, `produce_request`, `pipelining`),
transactions and group membership (`transactions`, `group`), what the cluster has (`admin`, `log_reader`, `lag`).

How each kind of client is set up is in `clients`, and what is used of aiokafka's insides in `insides`, as protocols;
`tests/seams` holds what is installed against them.
"""
