"""The record of rounds that were played: a file of JSON lines, which grows."""

from __future__ import annotations

from pathlib import Path

import msgspec
from rounds import Outcome

__all__ = ["Record"]


class Record:
    """Outcomes that stay, so that many rounds can be played in several goes.

    Args:
        file: where they are; a line each.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        lines = file.read_bytes().splitlines() if file.exists() else []
        self.outcomes = [msgspec.json.decode(line, type=Outcome) for line in lines]

    def has(self, pipeline: str, fault: str, guarantee: str, seed: int) -> bool:
        """Tell whether a round was played."""
        played = {(one.pipeline, one.fault, one.guarantee, one.seed) for one in self.outcomes}
        return (pipeline, fault, guarantee, seed) in played

    def add(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("ab") as file:
            file.write(msgspec.json.encode(outcome) + b"\n")
