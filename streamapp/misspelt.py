"""Misspelt names: which of those that there are was meant?"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Final

__all__ = ["meant"]

#: How alike two names are at least, by `difflib`, and how many are told.
ALIKE: Final = 0.75
TOLD: Final = 3


def meant(name: str, names: Iterable[str]) -> list[str]:
    """Return the names that may have been meant by another one, the closest first.

    Small and capital letters, and which marks are between words, make no difference.
    """
    plain: dict[str, list[str]] = {}
    for other in sorted(names):
        plain.setdefault(_plain(other), []).append(other)
    close = difflib.get_close_matches(_plain(name), plain, n=TOLD, cutoff=ALIKE)
    return [other for found in close for other in plain[found] if other != name][:TOLD]


def _plain(name: str) -> str:
    return re.sub(r"[-_. ]", "", name.casefold())
