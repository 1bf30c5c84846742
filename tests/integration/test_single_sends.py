"""Records that are sent one by one, as Faust's ``await topic.send(…)`` does, with a real broker."""

from __future__ import annotations

import asyncio
from typing import Any

from topics import DEADLINE, Topics

from streamapp.kafka.pipelining import PipeliningProducer
from streamapp.kafka.refusals import RecordRefusedError

#: So small that some record batches wait behind the first.
BATCH_BYTES = 512


def test_records_beside_and_behind_refused_ones_are_there_in_their_order(kafka: Any) -> None:
    topics = Topics(kafka.bootstrap, "single", partitions=1)
    topics.create("compacted", config={"cleanup.policy": "compact"})
    keys = [None if number % 10 == 3 else b"k%d" % number for number in range(100)]

    async def send() -> list[Any]:
        options = {"bootstrap_servers": kafka.bootstrap, "enable_idempotence": True, "max_batch_size": BATCH_BYTES}
        async with asyncio.timeout(DEADLINE), PipeliningProducer(**options) as producer:
            topic = f"{topics.prefix}compacted"
            sent = [await producer.send(topic, b"%d" % number, key=key) for number, key in enumerate(keys)]
            await producer.flush()
            assert all(one.done() for one in sent)
            return await asyncio.gather(*sent, return_exceptions=True)

    results = asyncio.run(send())
    assert [isinstance(one, RecordRefusedError) for one in results] == [key is None for key in keys]
    values = [int(message.value()) for message in topics.read("compacted")]
    assert values == [number for number, key in enumerate(keys) if key is not None]
    offsets = [one.offset for one in results if not isinstance(one, RecordRefusedError)]
    assert offsets == sorted(offsets)
