"""The output and the tables, compared with the set model of the inputs."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Collection, Hashable

from topics import Topics
from workload import INPUTS, Click, Model, Order

from streamapp.settings import Guarantee

__all__ = ["Findings", "compare", "verify"]


@dataclasses.dataclass(frozen=True)
class Findings:
    """What is not as the model has it, in records (or rows of a table); a reader of committed records saw it."""

    #: Results, of any output topic, that are not there; and how often others are there once more than they should.
    lost: int = 0
    doubled: int = 0
    #: Results that nothing calls for.
    unknown: int = 0
    #: Results with an older profile than the one that was produced before the click.
    outdated: int = 0
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


def verify(model: Model, topics: Topics) -> Findings:
    """Read all that came of the inputs, and compare it."""
    results = [json.loads(message.value()) for message in topics.read("joined_data")]
    joined = [result for result in results if result["click"]["click_id"] not in model.excused]
    unmatched = [json.loads(message.value())["click"]["click_id"] for message in topics.read("unmatched_clicks")]
    dead = [message.value() for message in topics.read("dead_letters")]
    orders = [_order(json.loads(message.value())) for message in topics.read("paid_orders")]
    outputs = [
        compare(model.joined, Counter(result["click"]["click_id"] for result in joined)),
        compare(model.unmatched, Counter(unmatched)),
        compare(model.dead, Counter(dead)),
        compare(model.orders, Counter(orders)),
    ]
    outdated = [result for result in joined if not _current(result, model.joined.get(result["click"]["click_id"]))]
    profiles = {key.decode(): int(json.loads(row)["name"]) for key, row in topics.table("user_profiles").items()}
    counts = {key.decode(): int(row) for key, row in topics.table("counts").items()}
    short = {user: model.counts[user] - counts.get(user, 0) for user in model.counts.keys() | counts.keys()}
    return Findings(
        lost=sum(output.lost for output in outputs),
        doubled=sum(output.doubled for output in outputs),
        unknown=sum(output.unknown for output in outputs),
        outdated=len(outdated),
        offsets=sum(abs(model.sent[name] - topics.committed(name)) for name in INPUTS),
        rows=len(dict(profiles.items() ^ model.profiles.items())),
        uncounted=sum(max(0, missing) for missing in short.values()),
        counted_twice=sum(max(0, -missing) for missing in short.values()),
    )


def compare(expected: Collection[Hashable], found: Counter[Hashable]) -> Findings:
    """Compare the results that are expected, each once, with those that are there."""
    return Findings(
        lost=sum(name not in found for name in expected),
        doubled=sum(count - 1 for name, count in found.items() if name in expected),
        unknown=sum(count for name, count in found.items() if name not in expected),
    )


def _current(result: dict, click: Click | None) -> bool:
    profile = result["profile"]
    return click is None or (profile["user_id"] == click.user and int(profile["name"]) >= click.version)


def _order(result: dict) -> Order | None:
    order, payment = result["left"], result["right"]
    return Order(order["order"], payment is not None) if payment in (None, order) else None
