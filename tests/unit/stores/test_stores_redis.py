"""Redis: away, full, emptied, written by another, or not what the settings say."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme
from proxy import Proxy
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis_server import RedisServer

from streamapp.joins import Row
from streamapp.settings import Settings
from streamapp.stores.cache import RowCache
from streamapp.stores.errors import StoreBehindError, StoreError, StoreUnreachableError
from streamapp.stores.redis import RedisPartition, check, connect, forget
from streamapp.stores.standing import Standing

#: A cache that keeps nothing, so that each look-up asks Redis.
COLD = 0

Use = Callable[[RedisPartition], object]
USES: dict[str, Use] = {
    "get": lambda partition: partition.get(b"0"),
    "get_many": lambda partition: partition.get_many([b"0", b"1"]),
    "write": lambda partition: partition.write({b"0": None}, 11),
    "expired": lambda partition: partition.expired(1_000, 1_000),
}
READS_ALL: dict[str, Use] = {
    "offset": lambda partition: partition.offset,
    "items": lambda partition: list(partition.items()),
    "len": len,
    "clear": lambda partition: partition.clear(),
}


def partition_of(client: Redis, name: str = "app:table:0") -> RedisPartition:
    return RedisPartition(client, name, RowCache(COLD), "redis://here")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis for one test alone."""
    server = RedisServer(tmp_path / "redis")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def filled(server: RedisServer) -> RedisPartition:
    """A partition with ten rows."""
    partition = partition_of(connect(Settings(store=server.url)))
    partition.write({b"%d" % number: Row(b"value", number) for number in range(10)}, 10)
    return partition


def test_a_partition_that_is_forgotten_has_no_rows_and_others_keep_theirs(
    server: RedisServer, filled: RedisPartition
) -> None:
    settings = Settings(store=server.url)
    other = partition_of(connect(settings), "app:table:1")
    other.write({b"1": Row(b"value", 1)}, 1)
    filled.stand(Standing(in_step_ms=1))
    forget(settings, ["app:table:0"])
    assert (filled.offset, len(filled), other.offset, len(other)) == (None, 0, 1, 1)
    assert filled.standing == Standing()


@pytest.mark.parametrize("use", (USES | READS_ALL).values(), ids=USES | READS_ALL)
def test_while_redis_is_away_it_is_unreachable_and_after_it_all_is_there(
    server: RedisServer, filled: RedisPartition, use: Use
) -> None:
    server.kill()
    with pytest.raises(StoreUnreachableError, match=r"redis://here .app:table:0. does not answer"):
        use(filled)
    server.start()
    assert (filled.offset, len(filled), filled.get(b"7")) == (10, 10, Row(b"value", 7))
    use(filled)


def test_a_redis_that_hangs_is_unreachable(
    server: RedisServer, filled: RedisPartition, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamapp.stores.redis.ANSWER_TIMEOUT_S", 0.1)
    partition = partition_of(connect(Settings(store=server.url)))
    server.pause()
    with pytest.raises(StoreUnreachableError, match="does not answer"):
        partition.get(b"0")
    server.go_on()
    assert partition.get(b"0") == Row(b"value", 0)


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_rows_that_redis_has_lost_are_not_taken_for_rows_that_never_were(
    server: RedisServer, filled: RedisPartition, use: Use
) -> None:
    server.client().flushall()
    with pytest.raises(StoreBehindError, match="is at offset -1 and was left at 10"):
        use(filled)
    assert (filled.offset, filled.get(b"0")) == (None, None)
    filled.write({b"0": Row(b"again", 0)}, 10)
    assert (filled.offset, filled.get(b"0")) == (10, Row(b"again", 0))


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_worker_that_was_taken_for_dead_reads_and_writes_nothing_more(
    server: RedisServer, filled: RedisPartition, use: Use
) -> None:
    successor = partition_of(server.client())
    successor.write({b"0": Row(b"young", 20)}, 20)
    with pytest.raises(StoreBehindError, match="is at offset 20 and was left at 10"):
        use(filled)
    assert (successor.offset, successor.get(b"0"), len(successor)) == (20, Row(b"young", 20), 10)


def test_rows_at_hand_are_forgotten_when_redis_has_others(server: RedisServer) -> None:
    partition = RedisPartition(server.client(), "rows", RowCache(1 << 20), "redis://here")
    partition.write({b"key": Row(b"lost", 1)}, 1)
    server.client().flushall()
    assert partition.offset is None
    assert partition.get(b"key") is None


def test_a_write_whose_answer_was_lost_is_not_done_twice_and_can_be_repeated(server: RedisServer) -> None:
    with Proxy(server.port) as proxy:
        partition = partition_of(Redis(port=proxy.port, retry=Retry(NoBackoff(), 0)))
        partition.write({b"key": Row(b"old", 1)}, 1)
        proxy.cut = b"EXEC"
        with pytest.raises(StoreUnreachableError):
            partition.write({b"key": Row(b"young", 2)}, 2)
        assert partition_of(server.client()).get(b"key") == Row(b"young", 2)
        partition.write({b"key": Row(b"young", 2)}, 2)
        partition.write({b"other": Row(b"", 3)}, 3)
        assert (partition.offset, len(partition)) == (3, 2)


def test_a_full_redis_is_told_of_in_one_line_and_keeps_the_rows_it_had(
    server: RedisServer, filled: RedisPartition
) -> None:
    server.client().config_set("maxmemory", "1")
    with pytest.raises(
        StoreError, match=r"^redis://here \(app:table:0\) cannot be read or written: .*maxmemory"
    ) as error:
        filled.write({b"0": Row(b"more", 11)}, 11)
    assert "\n" not in str(error.value)
    assert (filled.offset, filled.get(b"0")) == (10, Row(b"value", 0))
    server.client().config_set("maxmemory", "0")
    filled.write({b"0": Row(b"more", 11)}, 11)
    assert filled.get(b"0") == Row(b"more", 11)


def test_a_large_write_goes_as_a_whole(server: RedisServer) -> None:
    partition = partition_of(server.client())
    rows = {b"%d" % number: Row(b"value", number) for number in range(25_000)}
    partition.write(rows, 25_000)
    assert partition.get_many(list(rows)) == list(rows.values())
    partition.write(dict.fromkeys(rows), 50_000)
    assert (len(partition), partition.expired(1 << 40, 1), partition.offset) == (0, [], 50_000)


def test_partitions_of_one_redis_do_not_see_each_other(server: RedisServer) -> None:
    one, other = (partition_of(server.client(), f"app:table:{number}") for number in (1, 11))
    one.write({b"key": Row(b"one", 1)}, 1)
    other.write({b"key": Row(b"other", 2)}, 2)
    one.clear()
    assert (one.offset, one.get(b"key"), other.offset, other.get(b"key")) == (None, None, 2, Row(b"other", 2))


def test_a_redis_that_can_be_used_is_accepted_at_the_start(redis: RedisServer) -> None:
    check(Settings(store=redis.url))


def test_a_redis_that_is_not_there_is_told_of_in_one_line(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamapp.stores.redis.START_TIMEOUT_S", 0.0)
    server.kill()
    with pytest.raises(StoreError, match=f"^STREAMAPP_STORE={server.url}: .*refused") as error:
        check(Settings(store=server.url))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("password", ["", "wrong-hunter2"])
def test_a_wrong_password_is_told_of_in_one_line_without_it(tmp_path: Path, password: str) -> None:
    server = RedisServer(tmp_path, password="hunter2")
    server.start()
    try:
        with pytest.raises(StoreError, match="STREAMAPP_STORE_PASSWORD") as error:
            check(Settings(store=server.url, store_password=password))
        check(Settings(store=server.url, store_password="hunter2"))
    finally:
        server.kill()
    assert "\n" not in str(error.value)
    assert "hunter2" not in str(error.value)


def test_a_redis_that_would_evict_rows_is_refused(server: RedisServer) -> None:
    server.client().config_set("maxmemory-policy", "allkeys-lru")
    with pytest.raises(StoreError, match=r"evicts rows when its memory is full .*allkeys-lru.*noeviction"):
        check(Settings(store=server.url))


def test_with_tls_only_a_redis_whose_certificate_is_known_is_used(
    server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamapp.stores.redis.START_TIMEOUT_S", 0.0)
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with Proxy(server.port, context) as proxy:
        store = f"rediss://127.0.0.1:{proxy.port}/0"
        check(Settings(store=store, ssl_cafile=str(tmp_path / "ca.pem")))
        with pytest.raises(StoreError, match="certificate verify failed"):
            check(Settings(store=store))
