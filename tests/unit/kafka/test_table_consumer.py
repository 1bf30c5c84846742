from __future__ import annotations

import asyncio

import pytest
from aiokafka.errors import KafkaConnectionError
from ports import free_port

from streamapp.kafka.table_consumer import TableConsumer
from streamapp.settings import Settings


def test_a_consumer_that_cannot_reach_the_broker_is_closed() -> None:
    async def main() -> None:
        consumer = TableConsumer(Settings(broker=f"127.0.0.1:{free_port()}"))
        with pytest.raises(KafkaConnectionError):
            await consumer.start()
        assert consumer._closed

    asyncio.run(main())
