"""A partition of a topic: Faust's `TP`, or its like where Faust, which takes half a second to import, is not needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["TP"]

if TYPE_CHECKING:
    from faust.types import TP
else:
    from collections import namedtuple

    TP = namedtuple("TP", ("topic", "partition"))  # noqa: PYI024 - its types are those of Faust's
