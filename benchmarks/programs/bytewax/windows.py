"""Windows in Bytewax: each key has a clock of its own, which moves with the times of its transactions only."""

import os
from datetime import UTC, datetime, timedelta

import bytewax.operators as op
import bytewax.operators.windowing as win
import orjson
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow

BROKERS = [os.environ["BROKER"]]
SIZE_MS, GAP_MS, GRACE_MS = (int(os.environ[name]) for name in ("SIZE_MS", "GAP_MS", "GRACE_MS"))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TUMBLING = os.environ["WINDOW"] == "tumbling"


def transaction(message):
    value = orjson.loads(message.value)
    return message.key.decode(), (value["time"], value["amount"])


def timestamp(value):
    return EPOCH + timedelta(milliseconds=value[0])


def nothing():
    return 0, 0.0, None, None


def add(aggregate, value):
    n, total, first, last = aggregate
    time, amount = value
    return n + 1, total + amount, time if first is None else min(first, time), time if last is None else max(last, time)


def merge(one, two):
    return one[0] + two[0], one[1] + two[1], min(one[2], two[2]), max(one[3], two[3])


def result(keyed):
    ip, (window, (n, total, first, last)) = keyed
    start, end = (window * SIZE_MS, (window + 1) * SIZE_MS) if TUMBLING else (first, last)
    return KafkaSinkMessage(ip.encode(), orjson.dumps({"start": start, "end": end, "n": n, "total": total}))


flow = Dataflow("windows")
source = KafkaSource(BROKERS, [os.environ["PREFIX"] + "transactions"])
transactions = op.map("transaction", op.input("transactions", flow, source), transaction)
clock = win.EventClock(
    timestamp,
    wait_for_system_duration=timedelta(milliseconds=GRACE_MS),
    # By the clock of the system, too, windows close while their partition waits for others to be read.
    now_getter=lambda: EPOCH,
    to_system_utc=lambda _time: None,
)
windower = (
    win.TumblingWindower(length=timedelta(milliseconds=SIZE_MS), align_to=EPOCH)
    if TUMBLING
    else win.SessionWindower(gap=timedelta(milliseconds=GAP_MS))
)
windows = win.fold_window("windows", transactions, clock, windower, nothing, add, merge, ordered=False)
sink = KafkaSink(
    BROKERS,
    os.environ["JOINED"],
    add_config={"compression.type": "lz4", "linger.ms": os.environ["LINGER_MS"], "partitioner": "murmur2_random"},
)
op.output("results", op.map("result", windows.down, result), sink)
