"""What a transaction is, and what is none, with the reason."""

from __future__ import annotations

import ipaddress
import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.joins import Refused
from streamapp.pipelines.risk.addresses import address
from streamapp.pipelines.risk.models import AccountProfile, Transaction
from streamapp.pipelines.risk.values import doubtful, usable


class Received(msgspec.Struct):
    """A record as it came."""

    key: bytes | None
    value: bytes | None
    timestamp: int = 0
    offset: int = 0
    headers: tuple[tuple[str, bytes], ...] = ()


def json_of(**changed: object) -> bytes:
    value = {"transaction_id": "t1", "account": "a1", "ip": "10.0.0.1", "amount": 5, **changed}
    return msgspec.json.encode({name: field for name, field in value.items() if field is not ...})


def decoded(**changed: object) -> Transaction:
    return msgspec.json.decode(json_of(**changed), type=Transaction)


@given(
    st.integers(1, 10**12) | st.floats(min_value=0, max_value=1e15, exclude_min=True, allow_subnormal=False),
    st.ip_addresses(),
)
def test_any_amount_above_0_and_any_address_make_a_transaction(amount: float, ip: ipaddress.IPv4Address) -> None:
    transaction = decoded(amount=amount, ip=str(ip))

    assert transaction.amount == amount
    assert address(transaction.ip) == transaction.ip


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"amount": ...}, "missing required field `amount`"),
        ({"amount": None}, "Expected `float`, got `null`"),
        ({"amount": 0}, "> 0.0"),
        ({"amount": -3.5}, "> 0.0"),
        ({"amount": "5"}, "Expected `float`, got `str`"),
        ({"amount": True}, "Expected `float`, got `bool`"),
        ({"amount": 1e200}, "<= 1e"),
        ({"account": ""}, "length >= 1"),
        ({"account": 7}, "Expected `str`, got `int`"),
        ({"ip": ...}, "missing required field `ip`"),
        ({"ip": ""}, "the ip '' is no IPv4 or IPv6 address"),
        ({"ip": "10.0.0"}, "the ip '10.0.0' is no IPv4 or IPv6 address"),
        ({"ip": "10.0.0.256"}, "is no IPv4 or IPv6 address"),
        ({"ip": "10.0.0.01"}, "is no IPv4 or IPv6 address"),
        ({"ip": "example.com"}, "is no IPv4 or IPv6 address"),
        ({"ip": "fe80::1%eth0"}, "has a zone, which is something on one host only"),
    ],
)
def test_what_is_no_transaction_says_which_field_is_wrong(changed: dict[str, object], why: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=why):
        decoded(**changed)


@pytest.mark.parametrize("amount", [b"NaN", b"Infinity", b"1e999", b"-1e999"])
def test_an_amount_that_is_not_finite_is_refused(amount: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(json_of().replace(b"5}", amount + b"}"), type=Transaction)


@pytest.mark.parametrize(
    ("written", "ip"),
    [
        ("192.168.0.1", "192.168.0.1"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("::1", "::1"),
    ],
)
def test_an_address_is_one_text_however_it_is_written(written: str, ip: str) -> None:
    assert decoded(ip=written).ip == ip


@given(st.text(max_size=30))
def test_any_text_is_an_address_or_told_to_be_none_in_one_line(text: str) -> None:
    try:
        assert address(address(text)) == address(text)
    except ValueError as exc:
        assert str(exc).splitlines()[0] == str(exc)  # noqa: PT017


def test_other_fields_are_not_looked_at() -> None:
    assert decoded(planted="mule-1", time=5) == decoded()


def test_of_an_account_nothing_but_its_name_must_be_known() -> None:
    assert msgspec.json.decode(b'{"account":"a1"}', type=AccountProfile) == AccountProfile("a1", None, None)


def test_amounts_are_finite() -> None:
    assert math.isfinite(decoded(amount=1e140).amount)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"a2", json_of()),
        (None, json_of()),
        (b"a1", None),
        (b"a1", json_of(ip="10.0.0")),
        (b"a1", json_of(amount=-1)),
        (b"a1", b"{"),
    ],
)
def test_of_many_those_that_are_none_are_doubtful(key: bytes | None, value: bytes | None) -> None:
    good = [Received(b"a1", json_of(ip=ip)) for ip in ("10.0.0.1", "::ffff:10.0.0.1")]

    assert not doubtful(good)
    assert 2 in doubtful([*good, Received(key, value)])
    with pytest.raises(Refused):
        usable(Received(key, value))
