"""Tables in Redis (redis-py 8): for workers that have no disk of their own, and for tables that outlive them.

A partition is four keys: a hash of its rows, a sorted set of their event times, the changelog offset up to which they
are complete, and what is known of that changelog (`Standing`); a sorted set of the rows' keys, too, if they are read in
order. Rows and offset are written in one MULTI/EXEC, which Redis carries out, and puts into its append-only file, as a
whole or not at all.

Redis may lose what it had acknowledged (a restart from an older file, a failover to a replica, a FLUSHALL), and a
worker that was taken for dead may wake up and write. So the offset is looked at in the same step as every read and
write: where it is not the one that this worker left, `StoreBehindError` has the changelog read again.
"""

from __future__ import annotations

import contextlib
import functools
import struct
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import unquote, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.client import Pipeline
from redis.retry import Retry

from streamapp.joins.rows import Row
from streamapp.settings import PREFIX, Settings
from streamapp.stores.cache import RowCache
from streamapp.stores.errors import StoreBehindError, StoreError, StoreUnreachableError
from streamapp.stores.partition import Changes
from streamapp.stores.snapshot import Measure, Piece, PositionError, Snapshot
from streamapp.stores.standing import Standing

__all__ = ["RedisPartition", "check", "connect", "forget", "open_partition"]

T = TypeVar("T")

#: Event time (ms) before the value of a row.
TIME: Final = struct.Struct(">q")
#: Fields of one command: each is carried out as a whole, while all other clients of the Redis wait.
COMMAND_FIELDS: Final = 5_000
#: Rows of a scan that are read at once.
SCANNED_ROWS: Final = 1_000
#: Rows of which the sizes tell that of all of them.
MEASURED_ROWS: Final = 50
#: Seconds to connect and to wait for an answer. Rows are read in the event loop, which waits that long with them.
CONNECT_TIMEOUT_S, ANSWER_TIMEOUT_S = 1.0, 3.0
#: Seconds that a worker waits for Redis when it starts, and between two attempts.
START_TIMEOUT_S: Final = 10.0
RETRY_S: Final = 0.2
#: The offset of a partition that has none.
NO_OFFSET: Final = -1
#: The largest number of a cursor, and its digits.
LARGEST: Final = (1 << 64) - 1
DIGITS: Final = 20
#: What the names of the keys of a partition end with.
PARTS: Final = ("rows", "times", "offset", "standing", "keys")

#: Errors that pass: a failover is under way, a file is being loaded, the connection was lost amid a write.
PASSING: Final = (
    redis.ConnectionError,
    redis.TimeoutError,
    redis.ReadOnlyError,
    redis.WatchError,
    redis.exceptions.MasterDownError,
    redis.exceptions.TryAgainError,
)


def connect(settings: Settings) -> redis.Redis:
    """Return a client for the Redis of ``STREAMAPP_STORE``; it connects when it is used.

    A lost connection is made again at once, and then it is the caller who waits before the next attempt.
    """
    url = urlsplit(settings.store)
    return redis.Redis(
        host=url.hostname or "",
        port=url.port or 6379,
        db=int(url.path.strip("/") or 0),
        username=unquote(url.username) if url.username else None,
        password=settings.store_password or None,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        socket_timeout=ANSWER_TIMEOUT_S,
        retry=Retry(NoBackoff(), 1),
        ssl=url.scheme == "rediss",
        ssl_ca_certs=settings.ssl_cafile or None,
        ssl_certfile=settings.ssl_certfile or None,
        ssl_keyfile=settings.ssl_keyfile or None,
    )


def check(settings: Settings) -> None:
    """Make sure that the Redis of ``STREAMAPP_STORE`` can be used for tables; wait for it a while.

    Raises:
        StoreError: if it is not there, refuses the password, or evicts keys that it was given.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    with contextlib.closing(connect(settings)) as client:
        while True:
            try:
                with _explained(settings.store):
                    policy = str(dict(client.info("memory")).get("maxmemory_policy", ""))
                break
            except StoreUnreachableError as exc:
                if time.monotonic() > deadline:
                    raise StoreError(f"{PREFIX}STORE={settings.store}: {exc}") from None
                time.sleep(RETRY_S)
    if policy.startswith("allkeys"):
        raise StoreError(
            f"{PREFIX}STORE={settings.store}: this Redis evicts rows when its memory is full "
            f"(maxmemory-policy {policy}); set it to noeviction"
        )


def forget(settings: Settings, names: Collection[str]) -> None:
    """Remove the rows and the offsets of partitions, whose keys' names begin with these.

    Raises:
        StoreError: if the Redis refuses.
        StoreUnreachableError: if it is not there.
    """
    with contextlib.closing(connect(settings)) as client, _explained(settings.store):
        for name in names:
            client.unlink(*(f"{name}:{part}" for part in PARTS))


@contextlib.contextmanager
def _explained(where: str) -> Iterator[None]:
    """Raise one of our errors for what redis-py raises; none of its texts has the password."""
    try:
        yield
    except redis.AuthenticationError as exc:  # which is a ConnectionError to redis-py
        raise StoreError(f"{where} refuses the user or the password ({PREFIX}STORE_PASSWORD): {exc}") from None
    except PASSING as exc:
        raise StoreUnreachableError(f"{where} does not answer: {exc}") from None
    except redis.RedisError as exc:
        raise StoreError(f"{where} cannot be read or written: {exc}") from None


class RedisPartition:
    """One partition's rows, their event times, and the changelog offset.

    Every method raises `StoreUnreachableError` while Redis is away, and `StoreError` when it refuses.

    Args:
        client: of the Redis.
        name: what the names of the keys begin with.
        hot: room for the rows that are kept at hand.
        where: what errors call this Redis.
        ordered: whether the rows are read in the order of their keys, too.
    """

    def __init__(self, client: redis.Redis, name: str, hot: RowCache, where: str, *, ordered: bool = False) -> None:
        self._client = client
        self._names = [f"{name}:{part}" for part in PARTS]
        self._rows, self._times, self._offset, self._standing, self._keys = self._names
        self._where = f"{where} ({name})"
        self._ordered = ordered
        self._hot = hot.partition(lambda keys: functools.partial(self._load, keys))
        self.get = self._hot.get
        self.get_many = self._hot.get_many
        #: The offset that this worker left in Redis, None until it has looked; and that of a write which is under way,
        #: or of which no answer came.
        self._known: int | None = None
        self._next = NO_OFFSET

    @property
    def offset(self) -> int | None:
        """The changelog offset up to which (exclusive) the rows are complete, as Redis has it now; None = no rows."""
        offset = self._ask()
        return None if offset == NO_OFFSET else offset

    @property
    def standing(self) -> Standing:
        """How the rows stand to their changelog, as Redis has it now."""
        with _explained(self._where):
            found = self._client.get(self._standing)
        return Standing.parse(found if isinstance(found, bytes) else None)

    def stand(self, standing: Standing) -> None:
        """Keep how the rows stand to their changelog."""
        with _explained(self._where):
            self._client.set(self._standing, bytes(standing))

    def read_ahead(self, keys: Sequence[bytes], /) -> None:
        """Do nothing: an answer is soon there."""

    def _ask(self) -> int:
        with _explained(self._where):
            offset = _number(self._client.get(self._offset))
        if offset != self._known:
            self._hot.clear()
        self._known = self._next = offset
        return offset

    def _left(self) -> int:
        return self._ask() if self._known is None else self._known

    def _load(self, keys: Sequence[bytes]) -> list[Row | None]:
        chunks = self._read(lambda pipe: [pipe.hmget(self._rows, list(chunk)) for chunk in _chunks(keys)])
        return [None if data is None else _unpack(data) for chunk in chunks for data in chunk]

    def _read(self, ask: Callable[[Pipeline], object]) -> list[Any]:
        """Read rows and the offset in one step; a StoreBehindError if the rows are not those that this worker left."""
        oldest = self._left()
        with _explained(self._where), self._client.pipeline() as pipe:
            pipe.get(self._offset)
            ask(pipe)
            offset, *answers = pipe.execute()
        # Another thread may have written meanwhile.
        if not oldest <= _number(offset) <= self._next:
            raise self._behind(_number(offset))
        return answers

    def write(self, changes: Changes, offset: int) -> None:
        """Write rows, their times, and the changelog offset after them, all or nothing.

        Raises:
            StoreBehindError: if the rows are not those that this worker left; then nothing is written.
        """
        known = self._left()
        with _explained(self._where), self._client.pipeline() as pipe:
            # The offset is written each time, so to watch it is to see every other writer.
            pipe.watch(self._offset)  # type: ignore[no-untyped-call]
            stored = _number(pipe.get(self._offset))
            if stored == known:
                self._next = offset
                pipe.multi()
                self._queue(pipe, changes)
                pipe.set(self._offset, offset)
                pipe.execute()
            elif not stored == self._next == offset:  # if so, it was written before, and only the answer was lost
                raise self._behind(stored)
        self._known = offset
        self._hot.written(changes)

    def restore(self, changes: Changes, offset: int) -> None:
        """Write as `write` does, which does not read old rows either."""
        self.write(changes, offset)

    def _queue(self, pipe: Pipeline, changes: Changes) -> None:
        for chunk in _chunks([(key, row) for key, row in changes.items() if row is not None]):
            pipe.hset(self._rows, mapping={key: TIME.pack(row.timestamp) + row.value for key, row in chunk})
            if self._ordered:  # of one score, so that they are ordered by their bytes; they do not expire
                pipe.zadd(self._keys, {key: 0 for key, _ in chunk})
            else:
                pipe.zadd(self._times, {key: row.timestamp for key, row in chunk})
        for keys in _chunks([key for key, row in changes.items() if row is None]):
            pipe.hdel(self._rows, *keys)
            pipe.zrem(self._keys if self._ordered else self._times, *keys)

    def expired(self, before: int, limit: int) -> list[bytes]:
        """Return keys of rows whose event time (ms) is smaller than `before`, the oldest first.

        Redis keeps scores as doubles, which are exact for the times of 285,000 years.
        """
        if self._ordered:
            raise TypeError("the rows of an ordered table do not expire")
        if limit <= 0:
            return []
        (keys,) = self._read(lambda pipe: pipe.zrangebyscore(self._times, "-inf", f"({before}", start=0, num=limit))
        return list(keys)

    def items(self) -> Iterator[tuple[bytes, Row]]:
        """Go through all rows."""
        found: set[bytes] = set()  # while the hash is being resized, HSCAN gives some fields twice
        with _explained(self._where):
            for key, data in self._client.hscan_iter(self._rows, count=SCANNED_ROWS):
                if key not in found:
                    found.add(key)
                    yield key, _unpack(data)

    def scan(self, start: bytes, stop: bytes | None, /) -> Iterator[tuple[bytes, Row]]:
        """Go through the rows with ``start <= key < stop`` in order, if they are kept so; None is without end."""
        first, last = b"[" + start, b"+" if stop is None else b"(" + stop
        while True:
            keys = self._page(first, last)
            for key, row in zip(keys, self._load(keys), strict=True):
                if row is not None:  # else it was deleted meanwhile
                    yield key, row
            if len(keys) < SCANNED_ROWS:
                return
            first = b"(" + keys[-1]

    def _page(self, first: bytes, last: bytes) -> list[bytes]:
        (keys,) = self._read(lambda pipe: pipe.zrangebylex(self._keys, first, last, start=0, num=SCANNED_ROWS))
        return list(keys)

    def snapshot(self) -> RedisScan:
        """Return what HSCAN gives of the rows, which is not of one moment (`RedisScan`)."""
        # Not `_ask`: what this worker expects there is for its own reads and writes to tell.
        with _explained(self._where):
            offset = _number(self._client.get(self._offset))
        return RedisScan(self._client, self._rows, max(0, offset), self._where)

    def __len__(self) -> int:
        with _explained(self._where):
            return _number(self._client.hlen(self._rows))

    def measure(self) -> Measure:
        """Return how much there is; the bytes by the sizes of some rows."""
        with _explained(self._where), self._client.pipeline() as pipe:
            pipe.hlen(self._rows)
            pipe.memory_usage(self._rows, MEASURED_ROWS)
            pipe.zrange(self._times, -1, -1, withscores=True)
            pipe.get(self._offset)
            rows, size, newest, offset = pipe.execute()
        return Measure(rows, size or 0, int(newest[0][1]) if newest else None, max(0, _number(offset)))

    def clear(self) -> None:
        """Remove all rows and the offset."""
        with _explained(self._where):
            self._client.unlink(*self._names)
        self._hot.clear()
        self._known = self._next = NO_OFFSET

    def close(self) -> None:
        """Forget the hot rows; those in Redis stay."""
        self._hot.clear()

    def _behind(self, offset: int) -> StoreBehindError:
        return StoreBehindError(
            f"{self._where} is at offset {offset} and was left at {self._known}: it lost rows, or another worker has "
            "written; they are read from the changelog again"
        )


class RedisScan(Snapshot):
    """Rows by HSCAN (Redis has no snapshots): each that is there from the beginning to the end, once.

    One that is written meanwhile is there as it was before or after, and one that came meanwhile may be there. While
    the hash is being resized some fields come twice: keys are kept until it is closed, to leave them out. A position is
    a cursor of Redis, and how many rows of its answer are read; the answer is the same only if as many are asked for.
    """

    exact = False

    def __init__(self, client: redis.Redis, rows: str, offset: int, where: str) -> None:
        super().__init__(offset)
        self._client = client
        self._hash = rows
        self._where = where
        #: Of each key the cursor whose answer had it first.
        self._first: dict[bytes, int] = {}

    def _read(self, position: bytes, limit: int) -> Piece:
        cursor, read = _place(position)
        with _explained(self._where):
            answer: Any = self._client.hscan(self._hash, cursor, count=SCANNED_ROWS)
        following, found = answer
        rows = [(key, _unpack(data)) for key, data in found.items() if self._first.setdefault(key, cursor) == cursor]
        return Piece(rows[read:], b"%d 0" % following if following else None)

    def after(self, position: bytes, count: int, key: bytes) -> bytes:
        """Return the position after so many rows of the piece at a position."""
        cursor, read = _place(position)
        return b"%d %d" % (cursor, read + count)

    def _close(self) -> None:
        self._first = {}


def _place(position: bytes) -> tuple[int, int]:
    """Return the cursor and the rows read of its answer; a PositionError if it has none."""
    cursor, _, read = (position or b"0 0").partition(b" ")
    if not all(part.isdigit() and len(part) <= DIGITS and int(part) <= LARGEST for part in (cursor, read)):
        raise PositionError
    return int(cursor), int(read)


def _number(answer: object) -> int:
    return int(answer) if isinstance(answer, bytes | int) else NO_OFFSET


def _unpack(data: bytes) -> Row:
    return Row(data[TIME.size :], TIME.unpack_from(data)[0])


def _chunks(things: Sequence[T]) -> Iterator[Sequence[T]]:
    return (things[start : start + COMMAND_FIELDS] for start in range(0, len(things), COMMAND_FIELDS))


#: Bounds the hot rows of all tables of this process, for each size.
_hot_rows: Final = functools.cache(RowCache)


def open_partition(client: redis.Redis, name: str, settings: Settings, *, ordered: bool) -> RedisPartition:
    """Open a partition; Redis is asked when its rows are."""
    return RedisPartition(client, name, _hot_rows(settings.cache), settings.store, ordered=ordered)
