"""What is wrong with a worker although it runs: shown at ``/health``, which is not ready meanwhile."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

__all__ = ["Problems"]


class Problems:
    """Problems, each in one line: it lasts until what reported it says that it is over, or somebody acknowledges it.

    The texts are shown without a token: they name topics, partitions and counts, and never a key or a value.
    """

    def __init__(self) -> None:
        self._texts: dict[Hashable, str] = {}

    def report(self, name: Hashable, text: str) -> None:
        """Report a problem; one of the same name is replaced."""
        self._texts[name] = text

    def over(self, name: Hashable) -> None:
        """Take note that a problem is over, if there was one of this name."""
        self._texts.pop(name, None)

    def acknowledge(self) -> list[str]:
        """Forget all problems, since somebody has seen them, and return what they were; one that goes on comes back."""
        texts = list(self)
        self._texts.clear()
        return texts

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._texts.values()))
