"""What clicks, profiles and results are written as in this app."""

from __future__ import annotations

from streamapp.app import settings
from streamapp.errors import StreamappError
from streamapp.pipelines.clicks.sides import Sides

__all__ = ["sides"]


def _sides() -> Sides:
    try:
        return Sides.of(settings)
    except StreamappError as exc:
        raise SystemExit(f"streamapp: {exc}") from None


sides = _sides()
