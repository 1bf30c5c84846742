"""The newest records that came to nothing are kept, by topic and reason."""

from __future__ import annotations

import json
from typing import Any, cast

from faust.types import TP

from streamapp.formats import Avro, MessagePack
from streamapp.formats.serde import Serde
from streamapp.joins import Event
from streamapp.runtime.output import Output
from streamapp.runtime.samples import KEPT_BYTES, NEWEST, Made, Sample, Samples, newest_of_each

CLICKS = TP("clicks", 3)


def sample(offset: int, reason: str = "unmatched") -> Sample:
    return Sample.of(CLICKS, Event(b"ann", b"{}", 1_000, offset), reason)


def test_of_each_reason_the_newest_are_kept_and_the_newest_is_first() -> None:
    samples = Samples()
    samples.add(sample(offset) for offset in range(NEWEST + 5))
    samples.add([sample(7, "late")])
    assert [one.offset for one in samples.of("clicks", "unmatched")] == [*range(NEWEST + 4, 4, -1)]
    assert [one.offset for one in samples.of("clicks", "late")] == [7]
    assert samples.of("orders", "unmatched") == []


def test_of_all_reasons_together_the_newest_are_kept_too() -> None:
    samples = Samples()
    samples.add(sample(offset, f"reason {offset % 3}") for offset in range(2 * NEWEST))
    assert [one.offset for one in samples.all] == [*range(NEWEST, 2 * NEWEST)]


def test_of_long_keys_and_values_the_beginnings_are_kept() -> None:
    long = b"x" * 10_000
    kept = Sample.of(CLICKS, Event(long, long, 0, 1), "refused", "why " * 1_000)
    made = Made.of((Event(long, None, 0, 1), long))  # type: ignore[arg-type]
    assert kept.key == made.key == made.value == long[:KEPT_BYTES]
    assert len(kept.detail) == KEPT_BYTES


def test_a_result_in_another_format_is_shown_as_json_and_its_key_as_text() -> None:
    joined = Output(cast(Any, None), "joined")
    joined.serde = Serde(MessagePack(), Avro("string"))
    value = json.dumps({"text": "x" * KEPT_BYTES}).encode()
    sent = Event(Avro("string").from_json(b'"ann"'), None, 1_000, 1)
    joined.took([(cast(Any, sent), MessagePack().from_json(value)), (cast(Any, sent), b"\xc1")], "clicks")
    broken, made = joined.newest_shown()
    assert made.key == broken.key == b"ann"
    assert made.value == b'{"text":"' + b"x" * (KEPT_BYTES - 9)
    assert broken.value == b"\xc1"


def test_of_a_large_batch_a_rare_kind_is_among_the_samples() -> None:
    kinds = ["rare", *["common"] * 1_000]
    found = newest_of_each(dict(zip(kinds, range(1_001), strict=True)), kinds, range(1_001))
    assert found == [0, *range(1_001 - NEWEST, 1_001)]
