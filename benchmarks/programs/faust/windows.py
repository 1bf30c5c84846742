"""A windowed table as one writes it in Faust: it says nothing when a window is over, so each change is a result."""

import os

import faust

SIZE_MS = int(os.environ["SIZE_MS"])

app = faust.App(
    os.environ["GROUP"],
    broker=f"kafka://{os.environ['BROKER']}",
    datadir=os.environ["STATE"],
    # A table must have as many partitions as the topics it is filled from.
    topic_partitions=int(os.environ["PARTITIONS"]),
)

transactions = app.topic(os.environ["PREFIX"] + "transactions", key_type=str, value_serializer="json")
results = app.topic(os.environ["JOINED"], key_type=str, value_serializer="json")

minutes = app.Table("minutes", default=lambda: (0, 0.0)).tumbling(SIZE_MS / 1000).relative_to_stream()


@app.agent(transactions)
async def aggregate(stream):
    async for event in stream.events():
        transaction = event.value
        n, total = minutes[transaction["ip"]].value()
        minutes[transaction["ip"]] = (n + 1, total + transaction["amount"])
        start = int(event.message.timestamp * 1000) // SIZE_MS * SIZE_MS
        result = {"start": start, "end": start + SIZE_MS, "n": n + 1, "total": total + transaction["amount"]}
        await results.send(key=transaction["ip"], value=result)


if __name__ == "__main__":
    app.main()
