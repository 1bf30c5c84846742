"""The Faust transport ``batches://``: aiokafka, with whole batches (entry point group ``faust.transports``)."""

from __future__ import annotations

from faust.transport.drivers import aiokafka as driver

from streamapp.worker.consumer import Consumer
from streamapp.worker.producer import Producer

__all__ = ["Transport"]


class Transport(driver.Transport):
    """Faust's aiokafka transport with our consumer and producer."""

    Consumer = Consumer
    Producer = Producer
