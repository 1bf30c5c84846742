"""`streamapp whatif` gives what the join would have given with other settings, beside what it gives."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import joining_app
import pytest
import windows_app
from asked import answer, asked
from joined import produce, runs
from topics import Topics

from streamapp import App
from streamapp import Settings as AppSettings
from streamapp.advice.comparison import Comparison, tried
from streamapp.advice.event_time import EventTime
from streamapp.advice.measuring import wall_at
from streamapp.advice.stretch import Asked, Reader
from streamapp.advice.subject import subjects
from streamapp.advice.variants import Settings, with_settings
from streamapp.joins import How, NWayJoin
from streamapp.reset.where import Kind, Where

HOUR = 3_600_000
#: By join, other settings, and what they make of what is declared.
CHANGES: dict[str, tuple[Settings, Callable[[Any], Any]]] = {
    "pairs": (Settings(grace=0, before=100), lambda join: dataclasses.replace(join, grace=0, before=100)),
    "as-of": (Settings(tolerance=50), lambda join: dataclasses.replace(join, tolerance=50)),
    "versioned": (Settings(grace=1_000), lambda join: dataclasses.replace(join, grace=1_000)),
    "ttl": (Settings(ttl=50), lambda join: dataclasses.replace(join, ttl=50)),
    "enriched": (Settings(how=How.INNER), lambda join: dataclasses.replace(join, how=How.INNER)),
    "n-way": (
        Settings(how=How.INNER),
        lambda join: NWayJoin(tuple(dataclasses.replace(one, how=How.INNER) for one in join.joins)),
    ),
    "self": (Settings(after=20), lambda join: dataclasses.replace(join, after=20)),
    "tables": (Settings(how=How.INNER), lambda join: dataclasses.replace(join, how=How.INNER)),
    "windows": (Settings(grace=2_000), lambda join: dataclasses.replace(join, grace=2_000)),
}
ALL = Asked(since=Where(Kind.BEGINNING))


def whatif(topics: Topics, make: Callable[[Any], Any], name: str, settings: Settings) -> Comparison:
    """Try a join or windows of the apps that the tests run, of all that is in the topics."""
    app = App(settings=AppSettings(store="memory://", **topics.settings), autodiscover=False)
    make(app)[name].to(f"{name}.results")
    (subject,) = subjects(app, name)
    other = with_settings(name, cast("Any", subject.join), settings)
    wall = wall_at(int(time.time() * 1_000), app.settings.max_ahead)
    with Reader(app.settings, EventTime()) as reader:
        return tried(subject, other, reader, ALL, wall, arrival=False)


def an_hour_ago(kafka: Any, name: str, partitions: int = 1) -> Topics:
    topics = Topics(kafka.bootstrap, name, partitions=partitions)
    topics.now -= topics.now % 1_000 + HOUR
    return topics


@pytest.fixture(scope="module")
def shop(kafka) -> Topics:
    """Records of all topics, some of them late, some without a key."""
    topics = an_hour_ago(kafka, "whatif", partitions=2)
    topics.create("purchases", "views", "customers")
    produce(topics, 500)
    return topics


@pytest.mark.parametrize("name", CHANGES)
def test_both_declarations_give_what_the_join_itself_gives_with_them(shop: Topics, name: str, tmp_path: Path) -> None:
    settings, change = CHANGES[name]
    found = whatif(shop, joining_app.declared, name, settings)
    for run, changed in ((found.a, lambda join: join), (found.b, change)):
        driven = runs(shop, name, tmp_path / str(id(run)), changed)
        assert run.results == sum(len(each.driver.results) for each in driven)
        sides = Counter(
            side.reason.value
            for each in driven
            for side in each.driver.side_outputs
            if side.reason.value in {"late", "unmatched", "expired"}
        )
        assert {reason: run.records.get(reason, 0) for reason in sides} == sides
    assert sum(found.results.values()) > found.results["same"]


def test_a_join_of_an_app_is_tried_by_its_name_and_nothing_is_changed_by_it(shop: Topics) -> None:
    before = {topic: shop.ends(topic) for topic in ("purchases", "views")}
    found = answer(shop, "-A", "joining_app", "whatif", "pairs", "--grace", "5s", "-n", "100", JOINS="pairs")
    assert found["a"]["declared"] == "a join of two streams (before 300ms, after 100ms, grace 200ms, how outer)"
    assert found["b"]["declared"] == "a join of two streams (before 300ms, after 100ms, grace 5s, how outer)"
    assert any("before the stretch" in note for note in found["notes"])
    assert all(one["end"] - one["start"] <= 50 for one in found["stretch"])
    assert {topic: shop.ends(topic) for topic in ("purchases", "views")} == before
    assert not shop.exists("pairs.joined")
    assert shop.committed("purchases") == 0


@pytest.fixture(scope="module")
def bought(kafka) -> Topics:
    """Ten purchases, each a second after its view; three of them come 5 seconds late."""
    topics = an_hour_ago(kafka, "whatif-late")
    topics.create("purchases", "views")
    for number in range(10):
        topics.send("views", f"k{number}", {"user_id": f"k{number}"}, at=number * 10_000)
    for number in (0, 1, 2, 3, 5, 4, 6, 8, 7, 9):
        delayed = number in {4, 7}
        topics.send("purchases", f"k{number}", {"user_id": f"k{number}"}, at=number * 10_000 + 1_000 + delayed)
    topics.flush()
    return topics


JOINED = ("--left", "purchases", "--right", "views", "--on", "user_id")
PRESENT = ("--present", "before=2s,after=0,grace=1s,how=left")


def test_the_records_that_a_longer_grace_saves_are_counted_and_named(bought: Topics) -> None:
    found = answer(bought, "whatif", *JOINED, *PRESENT, "--grace", "10s", "--from", "beginning")
    assert (found["a"]["records"]["late"], found["b"]["records"].get("late", 0)) == (2, 0)
    moved = {(one["a"], one["b"]): one for one in found["moved"]}
    saved = moved["late", "matched"]
    assert saved["records"] == 2
    assert {sample["offset"] for sample in saved["samples"]} == {5, 8}
    assert {sample["a_late_by_ms"] for sample in saved["samples"]} == {8_999}
    assert found["results"]["only_b"] == 2
    places = [sample["records"] for sample in found["samples"]["only_b"]]
    assert [f"{bought.prefix}purchases[0]@5", f"{bought.prefix}views[0]@4"] in places


def test_a_wider_window_gives_the_pairs_that_it_reaches(bought: Topics) -> None:
    found = answer(bought, "whatif", *JOINED, *PRESENT, "--before", "0", "--from", "beginning")
    assert found["results"]["only_a"] > 0
    assert found["b"]["records"].get("matched", 0) == 0
    assert found["a"]["records"]["matched"] == 16


def test_it_is_shown_in_words(bought: Topics) -> None:
    done = asked(bought, "whatif", *JOINED, *PRESENT, "--grace", "10s", "--from", "beginning")
    assert (done.returncode, done.stderr) == (0, "")
    assert "  A, as it is:  a join of two streams (before 2s, after 0, grace 1s, how left)" in done.stdout
    assert "    late -> matched: 2" in done.stdout
    assert f"      {bought.prefix}purchases[0]@5, late by 9.0 s in A" in done.stdout


def test_what_was_before_the_stretch_is_there_at_its_beginning_and_is_not_counted(bought: Topics) -> None:
    since = str(bought.now + 60_500)
    found = answer(bought, "whatif", *JOINED, *PRESENT, "--how", "inner", "--from", since)
    assert found["a"]["records"]["matched"] == found["b"]["records"]["matched"]
    # The purchase of 61 s has met its view of 60 s, which is from before.
    stretch = {one["topic"].rpartition(".")[2]: (one["begin"], one["start"]) for one in found["stretch"]}
    assert stretch["views"] == (6, 7)
    assert sum(found["a"]["records"].values()) == 3 + 4


def test_a_side_that_is_not_keyed_by_the_field_is_taken_by_it(kafka) -> None:
    topics = an_hour_ago(kafka, "whatif-rekeyed", partitions=3)
    topics.create("orders", "customers")
    for number in range(30):
        topics.send("customers", f"c{number}", {"customer": f"c{number}"}, at=number)
        topics.send("orders", f"o{number}", {"customer": f"c{number}" if number % 3 else "nobody"}, at=1_000 + number)
    topics.send("orders", "bad", {"custmer": "c1"}, at=2_000)
    topics.flush()
    words = ("whatif", "--left", "orders", "--right", "customers", "--on", "customer", "--repartition", "left")
    found = answer(topics, *words, "--present", "how=left", "--how", "inner", "--from", "beginning")
    assert found["a"]["records"] == {"matched": 20, "taken in": 30, "unmatched": 10}
    assert (found["a"]["results"], found["b"]["results"], found["results"]["only_a"]) == (30, 20, 10)
    (refused,) = found["refused"]
    assert (refused["kind"], refused["records"]) == ("missing_field", 1)
    assert "is custmer meant?" in refused["example"]


def test_a_foreign_key_is_followed_over_all_partitions(kafka) -> None:
    topics = an_hour_ago(kafka, "whatif-foreign", partitions=3)
    topics.create("purchases", "views", "customers")
    for number in range(1, 23):
        topics.send("customers", f"k{number}", {"name": number}, at=number)
    for number in range(1, 45):
        topics.send("purchases", f"p{number}", {"purchases": number}, at=1_000 + number)
    topics.flush()
    found = whatif(topics, joining_app.declared, "foreign-key", Settings(how=How.LEFT))
    # Of 44, four name nobody (11, 22, 33, 44); one names k0, who is none (23).
    assert (found.a.results, found.b.results) == (39, 44)
    assert (found.results["only_a"], found.results["only_b"]) == (0, 5)


def test_windows_of_another_size(kafka) -> None:
    topics = an_hour_ago(kafka, "whatif-windows")
    topics.now -= topics.now % 2_000
    topics.create("payments")
    for at in (0, 400, 600, 900, 1_100, 5_000):
        topics.send("payments", "k", {"amount": 1, "ip": "i"}, at=at)
    topics.flush()
    found = whatif(topics, windows_app.declared, "tumbling", Settings(size=1_000))
    assert (found.a.results, found.b.results) == (3, 2)
    only_b = [(one.start, one.end) for one in found.samples["only_b"]]
    assert only_b == [(topics.now, topics.now + 1_000), (topics.now + 1_000, topics.now + 2_000)]


def test_a_shorter_life_of_the_profiles_expires_clicks_of_this_repository_s_app(kafka) -> None:
    topics = an_hour_ago(kafka, "whatif-clicks", partitions=2)
    topics.create("user_clicks", "user_profiles")
    for number in range(20):
        user = f"u{number}"
        topics.send("user_profiles", user, {"user_id": user, "name": user}, at=0)
        click = {"click_id": f"c{number}", "user_id": user, "url": "/"}
        topics.send("user_clicks", user, click, at=10_000 if number < 15 else 100_000)
    topics.send("user_clicks", "u1", {"click_id": "bad"}, at=20_000)
    topics.flush()
    found = answer(topics, "whatif", "--ttl", "60s", "--from", "beginning")
    assert found["join"] == "user_clicks-user_profiles-join"
    assert found["a"]["records"] == {"matched": 20, "taken in": 20}
    assert found["b"]["records"] == {"matched": 15, "expired": 5, "taken in": 20}
    assert [(one["kind"], one["records"]) for one in found["refused"]] == [("missing_field", 1)]


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        ([*JOINED, *PRESENT], 2, "what is to be another one?"),
        ([*JOINED, *PRESENT, "--ttl", "1s"], 1, "has no setting --ttl: it is a join of two streams"),
        ([*JOINED, *PRESENT, "--before", "-1s"], 1, "leave no window between them"),
        ([*JOINED, *PRESENT, "--grace", "1s", "--from", "now"], 1, "from now on there are no records yet"),
        (
            [*JOINED, *PRESENT, "--grace", "1s", "--from", "1d", "--to", "23h"],
            1,
            "there are no records in this stretch",
        ),
        (["--left", "purchases", "--grace", "1s"], 2, "give either JOIN, or --left, --right and --on"),
        ([*JOINED, "--present", "graze=1s", "--grace", "2s"], 2, "'graze=1s' is no setting"),
        (["nojoin", "--grace", "1s"], 1, "there is no join 'nojoin', but user_clicks-user_profiles-join"),
    ],
)
def test_what_cannot_be_tried_is_one_line(bought: Topics, words: list[str], status: int, message: str) -> None:
    done = asked(bought, "whatif", *words)
    assert (done.returncode, done.stdout) == (status, "")
    (line,) = done.stderr.splitlines()
    assert message in line
