"""The join in Quix Streams: `join_asof`, which keeps the profiles in RocksDB with a changelog topic."""

import os
import time
from datetime import timedelta

from quixstreams import Application


def join(click, profile):
    return {"click": click, "profile": profile, "join_timestamp": time.time()}


app = Application(
    broker_address=os.environ["BROKER"],
    consumer_group=os.environ["GROUP"],
    auto_offset_reset="earliest",
    state_dir=os.environ["STATE"],
    producer_extra_config={"compression.type": "lz4", "linger.ms": int(os.environ["LINGER_MS"])},
    loglevel="WARNING",
)
clicks = app.dataframe(app.topic(os.environ["CLICKS"], key_deserializer="bytes"))
profiles = app.dataframe(app.topic(os.environ["PROFILES"], key_deserializer="bytes"))
joined = clicks.join_asof(profiles, how="inner", on_merge=join, grace_ms=timedelta(days=7))
joined.to_topic(app.topic(os.environ["JOINED"], key_serializer="bytes"))

app.run()
