"""The producer: Faust's own, which sends each record batch once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from faust.transport.drivers import aiokafka as driver

__all__ = ["Producer"]


class Producer(driver.Producer):
    """Faust's aiokafka producer, idempotent: what aiokafka sends again after a lost answer is there once (KIP-98)."""

    def _settings_extra(self) -> Mapping[str, Any]:
        return {**super()._settings_extra(), "enable_idempotence": True}
