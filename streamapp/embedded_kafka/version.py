"""Which Apache Kafka it is."""

from __future__ import annotations

from typing import Final

__all__ = ["VERSION"]

VERSION: Final = "4.3.1"
