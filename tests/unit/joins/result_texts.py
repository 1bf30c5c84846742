"""Results of joins as short texts, for tests that read like the contract."""

from __future__ import annotations

from typing import Any

from streamapp.joins import Record, Row

__all__ = ["texts"]


def texts(results: list[Any]) -> list[str]:
    """Results as ``left-right@timestamp``; - is a missing side."""

    def text(side: Record | Row | None) -> str:
        return "" if side is None or side.value is None else side.value.decode()

    return [f"{text(result.left)}-{text(result.right)}@{result.timestamp}" for result in results]
