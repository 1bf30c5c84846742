"""Windows in Quix Streams, which are in RocksDB with a changelog topic; their results are final."""

import os
from datetime import timedelta

from quixstreams import Application
from quixstreams.dataframe.windows.aggregations import Count, Sum

SIZE, GAP, GRACE = (timedelta(milliseconds=int(os.environ[name])) for name in ("SIZE_MS", "GAP_MS", "GRACE_MS"))
SIZE_MS = int(os.environ["SIZE_MS"])
AGGREGATES = {"n": Count(), "total": Sum("amount")}


def tumbling(transactions):
    windows = transactions.tumbling_window(SIZE, grace_ms=GRACE).agg(**AGGREGATES)
    # By default a window of a key waits for a later record of the same key.
    return windows.final(closing_strategy="partition")


def session(transactions):
    """Sessions; Quix Streams takes records for a gap longer than its grace: both together are what others call so."""
    windows = transactions.session_window(GAP, grace_ms=GRACE - GAP).agg(**AGGREGATES)
    return windows.final().apply(lambda found: found | {"end": found["end"] - 1})


def look_back(transactions):
    """The windows that end at a record: 1 ms shorter, with both ends, they are of the full length without its begin."""
    windows = transactions.sliding_window(SIZE - timedelta(milliseconds=1), grace_ms=GRACE).agg(**AGGREGATES)
    return windows.final().apply(lambda found: found | {"start": found["end"] - SIZE_MS})


app = Application(
    broker_address=os.environ["BROKER"],
    consumer_group=os.environ["GROUP"],
    auto_offset_reset="earliest",
    state_dir=os.environ["STATE"],
    producer_extra_config={"compression.type": "lz4", "linger.ms": int(os.environ["LINGER_MS"])},
    loglevel="WARNING",
)
windows = {"tumbling": tumbling, "session": session, "look_back": look_back}[os.environ["WINDOW"]]
transactions = app.dataframe(app.topic(os.environ["PREFIX"] + "transactions", key_deserializer="bytes"))
windows(transactions).to_topic(app.topic(os.environ["JOINED"], key_serializer="bytes"))

app.run()
