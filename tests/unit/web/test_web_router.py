from __future__ import annotations

import pytest
from faust.types import TP
from faust.web.exceptions import ServiceUnavailable
from views import app_of, assignor_of

from streamapp.kafka.partitioners import partitions_of
from streamapp.web.router import router_of

# From Kafka's UtilsTest (murmur2("foobar") = -790332482) and the CRC-32 of the same bytes, 0x9ef61f95.
MURMUR2, CRC32 = -790332482 & 0x7FFFFFFF, 0x9EF61F95


def test_the_java_clients_partition_comes_first_and_librdkafkas_second() -> None:
    assert list(partitions_of(b"foobar", 8)) == [MURMUR2 % 8, CRC32 % 8] == [6, 5]


def test_a_partition_in_which_both_agree_is_named_once() -> None:
    assert list(partitions_of(b"foobar", 1)) == [0]


def test_a_hop_is_answered_by_the_worker_that_has_the_partition_it_asks_for() -> None:
    app = app_of()
    table = app.table("customers")
    assignor_of(app).actives = {TP(table.changelog_topic_name, number) for number in range(2)}
    router = router_of(app)
    assert [owner.partition for owner in router.owners("customers", b"ann", hop="1")] == [1]
    assignor_of(app).actives = {TP(table.changelog_topic_name, 0)}
    with pytest.raises(ServiceUnavailable, match="moving to another worker"):
        router.owner("customers", 1, hop="1")
