"""Generated profiles and clicks: the same seed gives the same records."""

from __future__ import annotations

import enum
import itertools
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import click
import msgspec

from streamapp.errors import ProduceError
from streamapp.pipelines.clicks.settings import CLICKS, PROFILES
from streamapp.produce.timeline import Timeline
from streamapp.produce.traffic import BAD_SHARE, ENDLESS, LATE_SHARE, LATENESS_MS, SEED, Record, share

__all__ = ["BAD_CLICKS", "OPTIONS", "Generated", "Kind", "Traffic", "generate"]

#: Event time that a backlog covers at most: less than the life of a profile by default, 300 s, so that the first
#: profiles have not expired when the last clicks are joined.
BACKLOG_SPAN_MS: Final = 240_000

_FIRST_NAMES: Final = ["Ada", "Barbara", "Dennis", "Edsger", "Frances", "Grace", "Ken", "Leslie", "Niklaus", "Radia"]
_LAST_NAMES: Final = ["Allen", "Hopper", "Lamport", "Liskov", "Lovelace", "Perlman", "Ritchie", "Thompson", "Wirth"]
_COUNTRIES: Final = ["BR", "DE", "FR", "IN", "JP", "KE", "NZ", "US"]
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


#: The kinds from `NOT_JSON` on.
BAD_CLICKS: Final = tuple(Kind)[5:]


class Generated(msgspec.Struct, frozen=True, kw_only=True):
    """What the records were, of those that were sent: `late`, `bad` and `unmatched` are parts of the `clicks`."""

    profiles: int
    clicks: int
    late: int
    bad: int
    unmatched: int
    bad_by_kind: dict[str, int]

    def __str__(self) -> str:
        return (
            f"{self.profiles:,} profiles, {self.clicks:,} clicks "
            f"({self.late:,} late, {self.bad:,} bad, {self.unmatched:,} unmatched)"
        )


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """What to generate: a profile for each user first, then clicks with profile updates between them.

    `clicks` counts all records of the clicks' topic, unless they are `endless`. A share is the part of the clicks, 0 to
    1, that is late, bad or of users without a profile: no click is two of these. `update_share` is the number of
    profile updates for each click; they take the users in turn, so that every profile is renewed equally often.

    Raises:
        ValueError: if the shares are more than all.
    """

    users: int = 1_000
    clicks: int = 10_000
    endless: bool = False
    seed: int = 0
    late_share: float = 0.0
    bad_share: float = 0.0
    unmatched_share: float = 0.0
    update_share: float = 0.01

    def __post_init__(self) -> None:
        if self.late_share + self.bad_share + self.unmatched_share > 1:
            raise ValueError("the late, bad and unmatched shares must not exceed 1 together")

    @property
    def topics(self) -> Sequence[str]:
        """The topics that it goes to, without the prefix."""
        return (PROFILES, CLICKS)

    @property
    def total(self) -> int | None:
        """How many records there are; None = it is without end."""
        return None if self.endless else self.users + self.clicks + int(self.clicks * self.update_share)

    def records(self, rate: float, now: int) -> Iterator[Record]:
        """Generate the records, live at a rate (a second) or, with 0, as a backlog up to `now` (ms).

        A backlog's are 1 ms apart, or closer if they would cover more than 240 s.
        """
        if rate:
            return generate(self, Timeline.live(rate, now))
        if self.total is None:
            raise ProduceError("clicks without end need a rate (--rate)")
        return generate(self, Timeline.backlog(self.total, now, min(1.0, BACKLOG_SPAN_MS / self.total)))

    def summary(self, kinds: Mapping[str, int]) -> Generated:
        """Sum up what was sent."""
        counts = Counter(kinds)
        profiles = counts[Kind.PROFILE] + counts[Kind.UPDATE]
        bad = {kind.value: counts[kind] for kind in BAD_CLICKS if counts[kind]}
        return Generated(
            profiles=profiles,
            clicks=counts.total() - profiles,
            late=counts[Kind.LATE],
            bad=sum(bad.values()),
            unmatched=counts[Kind.UNMATCHED],
            bad_by_kind=bad,
        )


#: The options of `streamapp produce` that make it.
OPTIONS: Final = (
    click.Option(["--users"], type=click.IntRange(min=1), default=1_000, help="Users, each with a profile [1,000]."),
    click.Option(["--clicks"], type=click.IntRange(min=0), default=10_000, help="Clicks [10,000]."),
    ENDLESS,
    SEED,
    LATE_SHARE,
    BAD_SHARE,
    share("--unmatched-share", "Part of the clicks without a profile."),
    share("--update-share", "Profile updates for each click [0.01].", default=0.01),
)


def generate(traffic: Traffic, timeline: Timeline) -> Iterator[Record]:
    """Yield the records of `traffic` in the order of `timeline`: the same for the same two arguments."""
    rng = random.Random(traffic.seed)  # noqa: S311 - reproducible, not secret
    times = map(timeline.at, itertools.count())
    for user in range(traffic.users):
        yield _profile(rng, Kind.PROFILE, user, next(times))
    updates = 0
    for number in itertools.count() if traffic.endless else range(traffic.clicks):
        yield _click(rng, traffic, number, next(times))
        if updates < int((number + 1) * traffic.update_share):
            yield _profile(rng, Kind.UPDATE, updates % traffic.users, next(times))
            updates += 1


def _profile(rng: random.Random, kind: Kind, user: int, timestamp: int) -> Record:
    first, last = _FIRST_NAMES[user % len(_FIRST_NAMES)], _LAST_NAMES[user % len(_LAST_NAMES)]
    country, plan = _COUNTRIES[user % len(_COUNTRIES)], rng.choice(_PLANS)
    value = f'{{"user_id":"u{user}","name":"{first} {last}","country":"{country}","plan":"{plan}"}}'
    return Record(PROFILES, kind, b"u%d" % user, value.encode(), timestamp)


def _click(rng: random.Random, traffic: Traffic, number: int, timestamp: int) -> Record:
    # int(random() * n) is five times as fast as randrange(n), and this is where the time goes.
    draw = rng.random()
    user = f"u{int(rng.random() * traffic.users)}"
    page = int(rng.random() * _PAGES)
    kind = Kind.CLICK
    if draw < traffic.bad_share:
        kind = rng.choice(BAD_CLICKS)
    elif draw < (share := traffic.bad_share + traffic.unmatched_share):
        kind, user = Kind.UNMATCHED, f"stranger-{number}"
    elif draw < share + traffic.late_share:
        kind, timestamp = Kind.LATE, max(1, timestamp - rng.randint(*LATENESS_MS))
    value = (
        f'{{"click_id":"c{traffic.seed}-{number}","user_id":"{user}",'
        f'"url":"https://shop.example.com/items/{page}","timestamp":{timestamp}}}'
    ).encode()
    return Record(CLICKS, kind, *_spoiled(kind, user.encode(), value), timestamp)


def _spoiled(kind: Kind, key: bytes, value: bytes) -> tuple[bytes | None, bytes | None]:
    field = b'"user_id":"%b"' % key
    match kind:
        case Kind.NOT_JSON:
            return key, value[:-1]
        case Kind.MISSING_FIELD:
            return key, value.replace(field + b",", b"")
        case Kind.WRONG_TYPE:
            return key, value.replace(field, b'"user_id":true')
        case Kind.NULL_KEY:
            return None, value
        case Kind.WRONG_KEY:
            return b"not-" + key, value
        case Kind.TOMBSTONE:
            return key, None
    return key, value
