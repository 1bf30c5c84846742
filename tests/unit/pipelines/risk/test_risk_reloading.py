"""A file that has changed is taken, one that cannot be used is refused, and what was there before stays."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

import pytest

from streamapp.errors import StreamappError
from streamapp.pipelines.risk.reloading import Reloaded


def word_of(path: Path) -> str:
    text = path.read_text()
    if not text.isalpha():
        raise StreamappError(f"{path}: {text!r} is no word")
    return text


def replace(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "word"
    path.write_text("one")
    return path


def test_a_new_version_is_taken(path: Path) -> None:
    words = Reloaded("word", path, word_of)
    assert words.current == "one"

    replace(path, "two")
    asyncio.run(words.check())

    assert (words.current, words.taken, words.refused, words.problem) == ("two", 2, 0, "")


def test_a_version_of_the_same_size_and_time_is_a_new_one_too(path: Path) -> None:
    words = Reloaded("word", path, word_of)
    before = path.stat()

    replace(path, "two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    asyncio.run(words.check())

    assert words.current == "two"


def test_a_broken_version_is_refused_and_told_once_and_the_old_one_stays(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    words = Reloaded("word", path, word_of)

    replace(path, "2")
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            asyncio.run(words.check())

    assert (words.current, words.refused) == ("one", 1)
    assert words.problem == f"the word cannot be used, the one from before stays: {path}: '2' is no word"
    assert [record.getMessage() for record in caplog.records] == ["T" + words.problem[1:]]


def test_after_a_broken_version_a_good_one_is_taken(path: Path) -> None:
    words = Reloaded("word", path, word_of)

    for text in ("2", "three"):
        replace(path, text)
        asyncio.run(words.check())

    assert (words.current, words.problem) == ("three", "")


def test_a_file_that_is_gone_is_told_and_the_old_one_stays(path: Path) -> None:
    words = Reloaded("word", path, word_of)

    path.unlink()
    asyncio.run(words.check())

    assert words.current == "one"
    assert "there is no such file any more" in words.problem


def test_one_that_is_broken_from_the_begin_is_a_problem_until_it_is_mended(path: Path) -> None:
    path.write_text("1")
    words = Reloaded("word", path, word_of)
    assert (words.current, words.problem) == (None, f"the word cannot be used, there is none: {path}: '1' is no word")

    replace(path, "one")
    asyncio.run(words.check())

    assert words.current == "one"


def test_a_file_that_was_never_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StreamappError, match="none: there is no such file"):
        Reloaded("word", tmp_path / "none", word_of)
