"""What was found in the output and the tables, compared with the model of the inputs."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Hashable, Iterable

from streamapp.settings import Guarantee

__all__ = ["Findings", "added", "compare"]


@dataclasses.dataclass(frozen=True)
class Findings:
    """What is not as the model has it, in records (or rows of a table); a reader of committed records saw it."""

    #: Results, of any output topic, that are not there; and how often others are there once more than they should.
    lost: int = 0
    doubled: int = 0
    #: Results that nothing calls for.
    unknown: int = 0
    #: Results with an older profile than the one that was produced before what they are of.
    outdated: int = 0
    #: Results that tell something else of what they are of than the model does.
    differing: int = 0
    #: Input records beyond the committed offsets, or committed and never produced.
    offsets: int = 0
    #: Rows of the profiles' table that are not as the last profile of the user.
    rows: int = 0
    #: Increments that are missing in the table of counts, and those counted twice.
    uncounted: int = 0
    counted_twice: int = 0

    def keeps(self, guarantee: str) -> bool:
        """Tell whether this is what a guarantee allows."""
        allowed = {"doubled", "counted_twice"} if guarantee == Guarantee.AT_LEAST_ONCE else set()
        return not any(count for name, count in dataclasses.asdict(self).items() if name not in allowed)


def added(*several: Findings) -> Findings:
    """Return the sums of findings."""
    names = [field.name for field in dataclasses.fields(Findings)]
    return Findings(**{name: sum(getattr(one, name) for one in several) for name in names})


def compare(expected: Iterable[Hashable], found: Counter) -> Findings:
    """Compare the results that are expected, each as often as it is there, with those that are there."""
    wanted = Counter(iter(expected))
    return Findings(
        lost=(wanted - found).total(),
        doubled=sum(max(0, found[name] - count) for name, count in wanted.items()),
        unknown=sum(count for name, count in found.items() if name not in wanted),
    )
