"""The join in Bytewax: a state for each user, which holds the profile and the clicks that came before it.

Bytewax has no order between two topics and its own `join` keeps one click of each user only, so that clicks are
lost which are read before their profile; this does not lose them.
"""

import os
import time

import bytewax.operators as op
import orjson
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow

BROKERS = [os.environ["BROKER"]]


def click(message):
    return message.key.decode(), (False, orjson.loads(message.value))


def profile(message):
    return message.key.decode(), (True, None if message.value is None else orjson.loads(message.value))


def join(state, event):
    """Give the new state, which is (profile, waiting clicks), and the pairs that are complete."""
    known, waiting = state or (None, ())
    is_profile, value = event
    if is_profile and value is None:
        return ((None, waiting) if waiting else None), ()
    if is_profile:
        return (value, ()), [(waited, value) for waited in waiting]
    if known is None:
        return (None, (*waiting, value)), ()
    return state, ((value, known),)


def joined(pair):
    user, (click, profile) = pair
    value = {"click": click, "profile": profile, "join_timestamp": time.time()}
    return KafkaSinkMessage(user.encode(), orjson.dumps(value))


flow = Dataflow("join")
clicks = op.map("click", op.input("clicks", flow, KafkaSource(BROKERS, [os.environ["CLICKS"]])), click)
profiles = op.map("profile", op.input("profiles", flow, KafkaSource(BROKERS, [os.environ["PROFILES"]])), profile)
pairs = op.stateful_flat_map("join", op.merge("both", clicks, profiles), join)
sink = KafkaSink(
    BROKERS,
    os.environ["JOINED"],
    add_config={"compression.type": "lz4", "linger.ms": os.environ["LINGER_MS"], "partitioner": "murmur2_random"},
)
op.output("joined", op.map("result", pairs, joined), sink)
