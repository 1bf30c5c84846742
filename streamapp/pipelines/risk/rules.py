"""Rules that an analyst writes in a TOML file.

[[rule]]
name = "card testing"
when = "ip_count_1m > 20 and ip_accounts_1h > 15 and ip_sum_1m / ip_count_1m < 4"
decision = "review"         # or decline
reason = "many small amounts from one IP"
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from streamapp.errors import StreamappError
from streamapp.pipelines.risk.expressions import Columns, ExpressionError, Kind, condition
from streamapp.pipelines.risk.features import INPUTS
from streamapp.pipelines.risk.models import Decision

__all__ = ["NAMES", "TEXTS", "Rule", "Rules", "RulesError", "read_rules"]

#: What rules can go by that is no number.
TEXTS: Final = ("transaction_id", "account", "ip")
#: All that rules can go by: ``score`` is the model's, null if it gave none.
NAMES: Final[Mapping[str, Kind]] = {
    **dict.fromkeys((*INPUTS, "score"), Kind.NUMBER),
    **dict.fromkeys(TEXTS, Kind.TEXT),
    "late": Kind.TRUTH,
}


class RulesError(StreamappError):
    """Rules that cannot be used; its text is one line that names the file and the rule."""


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When it holds for a transaction, the decision is not milder than its own."""

    name: str
    when: str
    decision: Decision
    reason: str = ""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rule: list[Rule] = []


class Rules:
    """Rules, in their order.

    Raises:
        ValueError: if two have one name, one accepts, or its condition is none.
    """

    def __init__(self, rules: Sequence[Rule] = ()) -> None:
        self.rules = tuple(rules)
        names = [rule.name for rule in self.rules]
        if twice := next((name for name in names if names.count(name) > 1), ""):
            raise ValueError(f"two rules are called {twice!r}")
        #: What they go by that is text.
        self.texts: set[str] = set()
        self._conditions = []
        for rule in self.rules:
            if rule.decision is Decision.ACCEPT:
                raise ValueError(f"rule {rule.name!r}: decision: a rule makes it stricter only: review or decline")
            try:
                holds, used = condition(rule.when, NAMES)
            except ExpressionError as exc:
                raise ValueError(f"rule {rule.name!r}: when: {exc}") from None
            self._conditions.append(holds)
            self.texts |= used.intersection(TEXTS)

    def holding(self, columns: Columns, count: int) -> list[list[Rule]]:
        """Return for each of the records of a batch the rules that hold for it."""
        found: list[list[Rule]] = [[] for _ in range(count)]
        for rule, holds in zip(self.rules, self._conditions, strict=True):
            told = holds(columns)
            if told.any():
                for number in np.flatnonzero(np.broadcast_to(told, count)).tolist():
                    found[number].append(rule)
        return found


def read_rules(path: Path) -> Rules:
    """Return the rules of a file.

    Raises:
        RulesError: if it has none that can be used.
    """
    try:
        return Rules(msgspec.toml.decode(path.read_bytes(), type=_File).rule)
    except OSError as exc:
        raise RulesError(f"{path}: {exc.strerror}") from None
    except (ValueError, RecursionError) as exc:  # of msgspec, TOML and Unicode, too
        raise RulesError(f"{path}: {' '.join(str(exc).split())}") from None
