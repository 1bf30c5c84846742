"""``streamapp replay --features``: the features of the transactions in a file, a line of JSON each."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from streamapp.cli.replay import replay

START = 1_763_000_000_000


def line(number: int, after: int, **changed: object) -> bytes:
    value = {"transaction_id": f"t{number}", "account": "a1", "ip": "10.0.0.1", "amount": 5.0, "time": START + after}
    return msgspec.json.encode({**value, **changed}) + b"\n"


def run(directory: Path, *lines: bytes, accounts: bytes | None = None, order: str = "arrival") -> Result:
    files = [f"--input={directory / 'transactions.jsonl'}", f"--order={order}"]
    (directory / "transactions.jsonl").write_bytes(b"".join(lines))
    if accounts is not None:
        (directory / "accounts.jsonl").write_bytes(accounts)
        files.append(f"--table={directory / 'accounts.jsonl'}")
    return CliRunner().invoke(replay, ["--features", "risk", *files])


def printed(*args: object, **options: object) -> list[dict]:
    result = run(*args, **options)  # type: ignore[arg-type]
    assert result.exit_code == 0, result.output
    return [msgspec.json.decode(text) for text in result.stdout.splitlines()]


def test_each_transaction_is_printed_with_its_features(tmp_path: Path) -> None:
    first, second, counts = printed(tmp_path, line(1, 0), line(2, 1_000, account="a2", ip="::ffff:10.0.0.1"))

    assert (first["transaction_id"], first["time"], first["late"]) == ("t1", START, False)
    assert (second["account"], second["ip"]) == ("a2", "10.0.0.1")
    assert (second["features"]["ip_count_1m"], second["features"]["ip_accounts_1h"]) == (2, 2)
    assert counts == {"transactions": 2, "late": 0, "rejected": 0}


def test_the_profiles_are_those_of_the_table(tmp_path: Path) -> None:
    profile = msgspec.json.encode({"account": "a1", "opened": START - 86_400_000, "limit": 70})

    told, _ = printed(tmp_path, line(1, 0), accounts=profile)

    assert (told["features"]["account_age_days"], told["features"]["account_limit"]) == (1.0, 70.0)


def test_late_and_bad_transactions_are_told_and_counted(tmp_path: Path) -> None:
    bad = line(3, 0, amount=-1)

    _, late, rejected, counts = printed(tmp_path, line(1, 60_000), line(2, 0), bad)

    assert (late["late"], set(late["features"].values())) == (True, {None})
    assert rejected["rejected"] == "Expected `float` > 0.0 - at `$.amount`"
    assert rejected["value"] == msgspec.json.decode(bad)
    assert counts == {"transactions": 3, "late": 1, "rejected": 1}


def test_in_the_order_of_event_times_none_is_late(tmp_path: Path) -> None:
    lines = printed(tmp_path, line(1, 60_000), line(2, 0), order="event-time")

    assert [one["transaction_id"] for one in lines[:2]] == ["t2", "t1"]
    assert lines[-1]["late"] == 0


@pytest.mark.parametrize(
    ("lines", "accounts", "why"),
    [
        ([b"none\n"], None, r"transactions.jsonl:1: "),
        ([line(1, 0), b'{"account": "a1"}\n'], None, r"transactions.jsonl:2: there is no field time"),
        ([line(1, 0)], b'{"account": "a1", "limit": 0}', r"accounts.jsonl:1: Expected `float` > 0.0"),
    ],
)
def test_a_line_that_is_no_record_is_named(
    lines: list[bytes], accounts: bytes | None, why: str, tmp_path: Path
) -> None:
    assert why in run(tmp_path, *lines, accounts=accounts).stderr


def test_features_need_an_input(tmp_path: Path) -> None:
    result = CliRunner().invoke(replay, ["--features", "risk"])

    assert "--features needs --input" in result.output
