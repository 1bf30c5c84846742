"""Whether a committed offset goes with the state of a join."""

from __future__ import annotations

import pytest
from faust.types import TP

from streamapp.joins.declared import StateMismatch
from streamapp.kafka.commit_metadata import By, CommitMetadata
from streamapp.runtime.resumption import Committed, Misfit, judge
from streamapp.runtime.rows import Inspection
from streamapp.topology.provenance import Provenance

TP0 = TP("orders", 0)
MADE_OF = Provenance({0: "orders", 1: "customers"}, {0: "id"}, partitions=4)


def judged(by: By, committed: int, taken: int | None, *, fresh: bool = False, table: bool = False) -> Misfit | None:
    state = Inspection([], None if taken is None else {"orders": taken}, (), fresh)
    finding = judge("join", TP0, Committed(by, committed), state, table=table)
    return None if finding is None else finding.misfit


@pytest.mark.parametrize("committed", [0, 99, 100, 101])
def test_our_offsets_go_with_a_state_ahead_by_a_commit_or_behind_by_markers(committed: int) -> None:
    assert judged(By.PROGRESS, committed, 100) is None
    assert judged(By.PLACED, committed, 100) is None


@pytest.mark.parametrize(("committed", "misfit"), [(99, Misfit.BACK), (100, None), (101, Misfit.SKIPPED)])
def test_an_offset_that_was_set_by_hand_must_be_where_the_state_is(committed: int, misfit: Misfit | None) -> None:
    assert judged(By.FOREIGN, committed, 100) is misfit


def test_an_offset_that_is_gone_is_made_up_for_by_the_state() -> None:
    assert judged(By.NONE, 0, 100) is Misfit.GONE
    assert judged(By.NONE, 0, None, fresh=True) is None


def test_a_new_state_lacks_the_rows_of_a_table_that_was_read_before() -> None:
    assert judged(By.PROGRESS, 100, None, fresh=True, table=True) is Misfit.MISSED
    assert judged(By.PROGRESS, 100, None, fresh=True) is Misfit.BEGUN
    assert judged(By.PROGRESS, 0, None, fresh=True, table=True) is None
    for by in (By.PLACED, By.FOREIGN):
        assert judged(by, 100, None, fresh=True, table=True) is None


def test_the_state_of_an_older_version_which_does_not_say_what_it_has_is_taken() -> None:
    for by in By:
        assert judged(by, 100, None, table=True) is None


@pytest.mark.parametrize(
    "metadata",
    [CommitMetadata(), CommitMetadata(By.PLACED, "2026-01-01 00:00", "app-host=1 %"), CommitMetadata(By.NONE)],
)
def test_what_is_committed_along_with_an_offset_is_read_as_it_was_written(metadata: CommitMetadata) -> None:
    assert CommitMetadata.parse(str(metadata)) == metadata
    assert CommitMetadata.parse(f"{metadata}\0") == metadata


@pytest.mark.parametrize("text", [None, "", "\0"])
def test_an_offset_without_metadata_is_somebody_elses(text: str | None) -> None:
    assert CommitMetadata.parse(text).by is By.FOREIGN


def test_the_transactional_id_that_older_versions_committed_is_ours() -> None:
    assert CommitMetadata.parse("app-host-6066") == CommitMetadata(transactional_id="app-host-6066")


def test_fields_that_a_newer_version_adds_are_left_alone() -> None:
    assert CommitMetadata.parse("later=AAAA by=later began=2h") == CommitMetadata(began="2h")


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (
            Provenance({0: "orders", 1: "clients"}, {}),
            "it is made of orders and customers, and not of orders and clients",
        ),
        (Provenance(MADE_OF.topics, {0: "number"}), "orders was keyed by id in it, and not by number"),
        (Provenance(MADE_OF.topics, {}, partitions=8), "it is that of 4 partitions, and now there are 8"),
    ],
)
def test_a_state_of_other_topics_another_key_or_other_partitions_is_refused(now: Provenance, told: str) -> None:
    with pytest.raises(StateMismatch, match=told):
        now.go_on(Provenance.decode(MADE_OF.encode()))


def test_a_state_whose_rows_are_in_a_table_of_another_name_is_refused() -> None:
    was, now = (Provenance(MADE_OF.topics, {}, rows={1: name}) for name in ("buyers", "customers"))
    now.go_on(was)  # as long as there are no rows
    told = r'the rows of customers are in the table buyers, and not in customers: name it so, .table\(name="buyers"\)'
    with pytest.raises(StateMismatch, match=told):
        now.go_on(was.with_taken({}, [1]))


def test_a_state_whose_key_or_partitions_are_not_known_is_taken() -> None:
    Provenance(MADE_OF.topics, {1: "id"}, partitions=4).go_on(MADE_OF)
    MADE_OF.go_on(Provenance(MADE_OF.topics, {}))
