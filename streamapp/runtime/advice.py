"""What to do about records that come to nothing, by the reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["advice", "advice_on_keys", "shortened"]

#: Characters of an error or a key that are told in a line.
SHORT: Final = 300
SHORT_KEY: Final = 60

_KEYED: Final = (
    "records join by their keys: if the key is a field of the value, have the topic written once more, keyed by it "
    "(--repartition of streamapp join, Topic.rekey)"
)
_ADVICE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "not_json": "values are JSON objects where no other format is declared: declare it (format=, --format, "
        "STREAMAPP_FORMAT), or have them produced as JSON",
        "missing_field": "is the field named otherwise here, or is it another topic's?",
        "null_key": _KEYED,
        "key_mismatch": _KEYED,
        "tombstone": "a stream's records need a value: one without deletes a row, and only tables have rows",
        "unknown_codec": "the header content-type says so: have the producer send JSON, or leave the header out",
        "agent_failed": "the agent raised on it, and the dead letter has the traceback",
        "late": "the event clock is ahead of them by more than the grace: give a larger one, or look for a record from "
        "the future (streamapp explain)",
        "expired": "the rows are older than they may be: a longer TTL keeps them (STREAMAPP_PROFILE_TTL, --ttl, ttl=)",
        "unmatched": "streamapp explain tells of a single one why",
    }
)

#: What an error has in it that says what helps.
_HELPFUL: Final = ("--repartition", "--by", "STREAMAPP_REKEY", "meant?", "the field is null")


def advice(reason: str, error: str = "") -> str:
    """Return what to do about records that come to nothing for a reason; empty = their error says it itself."""
    return "" if any(word in error for word in _HELPFUL) else _ADVICE.get(reason, "")


def advice_on_keys(key: bytes | None, there: Iterable[bytes], table: str, *, by_now: bool = False) -> str:
    """Return what to do about keys that found nothing in a table.

    Args:
        key: one of them.
        there: some of the keys that the table has.
        table: what it is called.
        by_now: whether the table has a row for the key by now.
    """
    some = list(there)
    if by_now:
        return (
            f"{table} has a row for its key by now, which came later by event time: records join rows of their time, "
            "so have the table's topic written first, or with older timestamps"
        )
    if not some:
        return f"{table} has no rows: is that the right topic, does it have records, and are they not rejected?"
    if key is None:
        return f"the rows of {table} have keys, such as {_told(some)}, and these records have none: {_KEYED}"
    compared = f"the key is {shortened(repr(key)[1:], SHORT_KEY)}, and those of {table} are such as {_told(some)}"
    difference = next((found for other in some if (found := _difference(key, other))), "")
    if difference:
        return f"{compared}: they differ {difference}, so have both sides keyed alike"
    return f"{compared}: if they are alike, these rows have not come yet; else have both sides keyed alike"


def shortened(text: str, length: int = SHORT) -> str:
    """Return a text in one line, or its beginning if it is long."""
    text = text.replace("\n", " ")
    return text if len(text) <= length else f"{text[:length]}…"


def _told(keys: Iterable[bytes]) -> str:
    return ", ".join(shortened(repr(key)[1:], SHORT_KEY) for key in keys)


def _difference(one: bytes, other: bytes) -> str:
    """Return how two keys of different forms differ; empty = they look alike, or like nothing that is known."""
    quoted = [key[:1] == b'"' == key[-1:] for key in (one, other)]
    binary = [any(byte < 0x20 or byte >= 0x7F for byte in key) for key in (one, other)]
    objects = [key[:1] == b"{" for key in (one, other)]
    digits = [key.isdigit() for key in (one, other)]
    if binary[0] != binary[1]:
        return "in form, one being binary (such as an int64 or Avro) and the other text"
    if objects[0] != objects[1]:
        return "in form, one being a JSON object"
    if quoted[0] != quoted[1]:
        return "by the quotes of a JSON string"
    if one.strip() != one or other.strip() != other:
        return "by spaces"
    if all(digits) and (one[:1] == b"0") != (other[:1] == b"0") and len(one) != len(other):
        return "by zeros before the number"
    if one.lower() == other.lower() or {one.isupper(), other.isupper()} == {True, False}:
        return "by capital letters"
    if digits[0] != digits[1]:
        return "in form, one being a number"
    return ""
