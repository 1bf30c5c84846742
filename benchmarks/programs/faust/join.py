"""The join as one writes it in Faust, with its settings as they are: agents, a table, one event at a time."""

import os
import time

import faust

app = faust.App(
    os.environ["GROUP"],
    broker=f"kafka://{os.environ['BROKER']}",
    datadir=os.environ["STATE"],
    # A table must have as many partitions as the topics it is filled from.
    topic_partitions=int(os.environ["PARTITIONS"]),
)

user_profiles = app.topic(os.environ["PROFILES"], key_type=str, value_serializer="json")
user_clicks = app.topic(os.environ["CLICKS"], key_type=str, value_serializer="json")
joined_data = app.topic(os.environ["JOINED"], key_type=str, value_serializer="json")

profiles = app.Table("profiles")


@app.agent(user_profiles)
async def keep_profiles(stream):
    async for profile in stream:
        profiles[profile["user_id"]] = profile


@app.agent(user_clicks)
async def join_clicks(stream):
    async for click in stream:
        profile = profiles.get(click["user_id"])
        if profile is not None:
            joined = {"click": click, "profile": profile, "join_timestamp": time.time()}
            await joined_data.send(key=click["user_id"], value=joined)


if __name__ == "__main__":
    app.main()
