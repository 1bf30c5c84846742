"""The databases of a group's tables on this machine."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection
from pathlib import Path

__all__ = ["directories", "remove"]


def directories(tabledir: Path, tables: Collection[str]) -> list[Path]:
    """Return the databases of tables on this machine."""
    if not tabledir.is_dir():
        return []
    named = "|".join(map(re.escape, tables))
    pattern = re.compile(rf"({named})-\d+\.rocksdb(\.removed)?")
    return sorted(path for path in tabledir.iterdir() if pattern.fullmatch(path.name))


def remove(paths: Collection[Path]) -> None:
    """Remove databases, each in one step: half of one might be taken for a whole one that has fewer rows.

    Raises:
        OSError: if one cannot be removed.
    """
    for path in paths:
        removed = path.with_name(f"{path.name}.removed") if path.suffix == ".rocksdb" else path
        if path != removed:
            shutil.rmtree(removed, ignore_errors=True)
            path.rename(removed)
        shutil.rmtree(removed)
