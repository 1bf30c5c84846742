"""Windows in Pathway, which give each change.

Final results would need a clock, and there is only one, for all partitions together: as these are read, one goes ahead,
and most transactions of the others are late (`exactly_once_behavior` lost four tenths of them).
"""

import os

import pathway as pw

KAFKA = {"bootstrap.servers": os.environ["BROKER"]}
SIZE_MS = int(os.environ["SIZE_MS"])


class Transaction(pw.Schema):
    ip: str
    amount: float
    time: int


transactions = pw.io.kafka.read(
    KAFKA | {"group.id": os.environ["GROUP"], "auto.offset.reset": "earliest"},
    topic=os.environ["PREFIX"] + "transactions",
    schema=Transaction,
    format="json",
)
results = transactions.windowby(
    transactions.time,
    window=pw.temporal.tumbling(duration=SIZE_MS),
    instance=transactions.ip,
).reduce(
    ip=pw.this._pw_instance,
    start=pw.this._pw_window_start,
    end=pw.this._pw_window_end,
    n=pw.reducers.count(),
    total=pw.reducers.sum(pw.this.amount),
)
pw.io.kafka.write(
    results,
    KAFKA | {"compression.type": "lz4", "linger.ms": os.environ["LINGER_MS"], "partitioner": "murmur2_random"},
    os.environ["JOINED"],
    format="json",
    key=results.ip,
)
pw.run(monitoring_level=pw.MonitoringLevel.NONE)
