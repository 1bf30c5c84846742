"""What is committed along with an offset."""

from __future__ import annotations

import pytest

from streamapp.kafka.commit_metadata import By, CommitMetadata


@pytest.mark.parametrize(
    "metadata",
    [
        CommitMetadata(),
        CommitMetadata(topic_id="k9y6eusATrSNPoG189PC0g"),
        CommitMetadata(By.PLACED, "2024-01-01 12:00", "app-host name=1 &", "k9y6eusATrSNPoG189PC0g"),
    ],
)
def test_it_is_read_back_as_it_was(metadata: CommitMetadata) -> None:
    assert CommitMetadata.parse(str(metadata)) == metadata


def test_nothing_is_known_of_what_others_have_committed() -> None:
    assert CommitMetadata.parse("") == CommitMetadata.parse(None) == CommitMetadata(By.FOREIGN)


def test_older_versions_committed_the_transactional_id_alone() -> None:
    assert CommitMetadata.parse("app-host-6066") == CommitMetadata(transactional_id="app-host-6066")
