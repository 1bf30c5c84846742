"""Files of cases, of joins and of windows."""

from __future__ import annotations

from typing import Final

import msgspec

from streamapp.replay.cases import Case
from streamapp.replay.errors import ReplayError
from streamapp.replay.window_cases import WindowCase, WindowFamily

__all__ = ["read_cases"]

WINDOWS: Final = frozenset(WindowFamily)


class _Kind(msgspec.Struct, frozen=True):
    family: str


class _File(msgspec.Struct, frozen=True):
    cases: list[msgspec.Raw]


def read_cases(text: bytes, name: str) -> list[Case | WindowCase]:
    """Read a file of cases.

    Raises:
        ReplayError: if it is not one; the text has ``name``.
    """
    try:
        raw = msgspec.json.decode(text, type=_File).cases
    except msgspec.DecodeError as exc:
        raise ReplayError(f"{name}: {exc}") from None
    found = []
    for number, one in enumerate(raw):
        where = f"case {number}"
        try:
            kind: type[Case | WindowCase] = Case
            if msgspec.json.decode(one, type=_Kind).family in WINDOWS:
                kind = WindowCase
            case = msgspec.json.decode(one, type=kind)
            where = f"case {case.id}"
            case.check()
        except ValueError as exc:  # of msgspec, too
            raise ReplayError(f"{name}: {where}: {exc}") from None
        found.append(case)
    return found
