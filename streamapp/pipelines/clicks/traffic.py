"""Generated profiles and clicks: the same seed gives the same records."""

from __future__ import annotations

import enum
import itertools
import random
from collections.abc import Iterator
from typing import Final

import msgspec

__all__ = ["BAD_CLICKS", "Kind", "Record", "Timeline", "Traffic", "generate"]

#: Event time (ms) that a backlog covers at most: less than the life of a profile by default, 300 s, so that
#: the first profiles have not expired when the last clicks are joined.
BACKLOG_SPAN: Final = 240_000
#: How far (ms) a late click is behind its neighbours: the least and the most.
LATENESS: Final = (60_000, 600_000)

_FIRST_NAMES: Final = (
    "Ada",
    "Barbara",
    "Dennis",
    "Edsger",
    "Frances",
    "Grace",
    "Ken",
    "Leslie",
    "Niklaus",
    "Radia",
)
_LAST_NAMES: Final = (
    "Allen",
    "Hopper",
    "Lamport",
    "Liskov",
    "Lovelace",
    "Perlman",
    "Ritchie",
    "Thompson",
    "Wirth",
)
_COUNTRIES: Final = ("BR", "DE", "FR", "IN", "JP", "KE", "NZ", "US")
_PLANS: Final = ("free", "basic", "premium", "enterprise")
_PAGES: Final = 10_000


class Kind(enum.StrEnum):
    """What a generated record is; the bad clicks are those that no join can take."""

    PROFILE = "profile"
    UPDATE = "update"
    CLICK = "click"
    LATE = "late"
    UNMATCHED = "unmatched"
    NOT_JSON = "not_json"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    NULL_KEY = "null_key"
    WRONG_KEY = "wrong_key"
    TOMBSTONE = "tombstone"

    @property
    def is_profile(self) -> bool:
        """Whether it belongs on the profiles' topic; all others go to the clicks'."""
        return self in {Kind.PROFILE, Kind.UPDATE}


BAD_CLICKS: Final = (
    Kind.NOT_JSON,
    Kind.MISSING_FIELD,
    Kind.WRONG_TYPE,
    Kind.NULL_KEY,
    Kind.WRONG_KEY,
    Kind.TOMBSTONE,
)


class Record(msgspec.Struct, frozen=True, gc=False):
    """A record to produce; ``timestamp`` is the event time in ms since 1970."""

    kind: Kind
    key: bytes | None
    value: bytes | None
    timestamp: int


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """What to generate: a profile for each user first, then clicks with profile updates between them.

    ``clicks`` counts all records of the clicks' topic; None is without end. A share is the part of the
    clicks, 0 to 1, that is late, bad or of users without a profile: no click is two of these.
    ``update_share`` is the number of profile updates for each click; they take the users in turn, so that
    every profile is renewed equally often.

    Raises:
        ValueError: for a number that is out of its range.
    """

    users: int = 1_000
    clicks: int | None = 10_000
    seed: int = 0
    late_share: float = 0.0
    bad_share: float = 0.0
    unmatched_share: float = 0.0
    update_share: float = 0.01

    def __post_init__(self) -> None:
        if self.users < 1:
            raise ValueError("there must be at least one user")
        if self.clicks is not None and self.clicks < 0:
            raise ValueError("there cannot be fewer than 0 clicks")
        shares = (self.late_share, self.bad_share, self.unmatched_share, self.update_share)
        if not all(0 <= share <= 1 for share in shares):
            raise ValueError("a share must be from 0 to 1")
        if self.late_share + self.bad_share + self.unmatched_share > 1:
            raise ValueError("the late, bad and unmatched shares must not exceed 1 together")

    @property
    def total(self) -> int | None:
        """How many records `generate` gives in all; None is without end."""
        if self.clicks is None:
            return None
        return self.users + self.clicks + int(self.clicks * self.update_share)


class Timeline(msgspec.Struct, frozen=True):
    """Event times: record number ``n`` is at ``start + n * step`` (ms); late clicks are behind that."""

    start: float
    step: float

    @classmethod
    def live(cls, rate: float, now: int) -> Timeline:
        """Begin at ``now`` (ms) and follow the wall clock at ``rate`` records a second."""
        return cls(start=now, step=1_000 / rate)

    @classmethod
    def backlog(cls, total: int, now: int) -> Timeline:
        """End at ``now`` (ms), with records 1 ms apart, or closer if they would cover more than 240 s."""
        step = min(1.0, BACKLOG_SPAN / total)
        return cls(start=now - (total - 1) * step, step=step)


def generate(traffic: Traffic, timeline: Timeline) -> Iterator[Record]:
    """Give the records of ``traffic`` in the order of ``timeline``: the same for the same two arguments."""
    rng = random.Random(traffic.seed)  # noqa: S311 - reproducible, not secret
    numbers = itertools.count()

    def now() -> int:
        return int(timeline.start + next(numbers) * timeline.step)

    for user in range(traffic.users):
        yield _profile(rng, Kind.PROFILE, user, now())
    updates = 0
    for click in itertools.count() if traffic.clicks is None else range(traffic.clicks):
        yield _click(rng, traffic, click, now())
        if updates < int((click + 1) * traffic.update_share):
            yield _profile(rng, Kind.UPDATE, updates % traffic.users, now())
            updates += 1


def _profile(rng: random.Random, kind: Kind, user: int, timestamp: int) -> Record:
    first, last = _FIRST_NAMES[user % len(_FIRST_NAMES)], _LAST_NAMES[user % len(_LAST_NAMES)]
    country, plan = _COUNTRIES[user % len(_COUNTRIES)], rng.choice(_PLANS)
    value = f'{{"user_id":"u{user}","name":"{first} {last}","country":"{country}","plan":"{plan}"}}'
    return Record(kind, b"u%d" % user, value.encode(), timestamp)


def _click(rng: random.Random, traffic: Traffic, click: int, timestamp: int) -> Record:
    # int(random() * n) is five times as fast as randrange(n), and this is where the time goes.
    draw = rng.random()
    user = f"u{int(rng.random() * traffic.users)}"
    page = int(rng.random() * _PAGES)
    kind = Kind.CLICK
    if draw < traffic.bad_share:
        kind = rng.choice(BAD_CLICKS)
    elif draw < (share := traffic.bad_share + traffic.unmatched_share):
        kind, user = Kind.UNMATCHED, f"stranger-{click}"
    elif draw < share + traffic.late_share:
        kind, timestamp = Kind.LATE, max(1, timestamp - rng.randint(*LATENESS))
    key = user.encode()
    value = (
        f'{{"click_id":"c{traffic.seed}-{click}","user_id":"{user}",'
        f'"url":"https://shop.example.com/items/{page}","timestamp":{timestamp}}}'
    ).encode()
    return _spoiled(Record(kind, key, value, timestamp), key, value)


def _spoiled(record: Record, key: bytes, value: bytes) -> Record:
    kind, timestamp = record.kind, record.timestamp
    match kind:
        case Kind.NOT_JSON:
            return Record(kind, key, value[:-1], timestamp)
        case Kind.MISSING_FIELD:
            return Record(kind, key, value.replace(b'"user_id":"%b",' % key, b""), timestamp)
        case Kind.WRONG_TYPE:
            return Record(kind, key, value.replace(b'"user_id":"%b"' % key, b'"user_id":true'), timestamp)
        case Kind.NULL_KEY:
            return Record(kind, None, value, timestamp)
        case Kind.WRONG_KEY:
            return Record(kind, b"not-" + key, value, timestamp)
        case Kind.TOMBSTONE:
            return Record(kind, key, None, timestamp)
        case _:
            return record
