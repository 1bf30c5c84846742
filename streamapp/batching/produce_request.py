"""Produce requests that are written in one go: aiokafka (0.14) copies each record batch five times over."""

from __future__ import annotations

import struct
from typing import Any

from aiokafka.producer.sender import SendProduceReqHandler
from aiokafka.protocol.produce import ProduceRequest, ProduceRequest_v7
from aiokafka.protocol.types import String

__all__ = ["Handler", "WrittenAtOnce"]

TEXT = String("utf-8")


class WrittenAtOnce(ProduceRequest_v7):  # type: ignore[misc]
    """aiokafka's newest version of the request, to the same bytes."""

    def encode(self) -> bytes:
        """Give the bytes of the request without its header."""
        parts = [
            TEXT.encode(self.transactional_id),
            struct.pack(">hii", self.required_acks, self.timeout, len(self.topics)),
        ]
        for topic, batches in self.topics:
            parts += (TEXT.encode(topic), struct.pack(">i", len(batches)))
            for partition, batch in batches:
                parts += (struct.pack(">ii", partition, len(batch)), batch)
        return b"".join(parts)


class _Request(ProduceRequest):  # type: ignore[misc]
    def build(self, request_struct_class: Any) -> Any:
        newest = request_struct_class is ProduceRequest_v7
        return super().build(WrittenAtOnce if newest else request_struct_class)


class Handler(SendProduceReqHandler):  # type: ignore[misc]
    """Sends record batches to a broker and sees to the answer, as aiokafka's own."""

    def create_request(self) -> ProduceRequest:
        """Make the request."""
        made = super().create_request()
        return _Request(made._transactional_id, made._required_acks, made._timeout, made._topics)
