"""What can stop a producer before all is sent."""

from __future__ import annotations

__all__ = ["ProduceError"]


class ProduceError(Exception):
    """Nothing (more) can be sent; its text is one line that says why and what to do."""
