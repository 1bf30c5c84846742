"""The directory that a worker keeps its data in: whether it can."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from streamapp.settings import PREFIX, SettingsError

__all__ = ["check_directory"]

#: Bytes with which a store can do nothing, not even begin its log.
LITTLE: Final = 1 << 20


def check_directory(path: Path, below: Path, *, written: bool) -> None:
    """Make a directory, and see that files can be written there.

    Args:
        path: as it was set.
        below: where the files will be; in it.
        written: whether there will be any.

    Raises:
        SettingsError: if it cannot be.
    """
    try:
        below.mkdir(parents=True, exist_ok=True)
        if written:
            with tempfile.TemporaryFile(dir=below) as file:
                file.write(bytes(LITTLE))
                file.flush()
    except OSError as exc:
        where = f" ({exc.filename})" if exc.filename and Path(str(exc.filename)).parent != below else ""
        raise SettingsError(f"{PREFIX}DATADIR={path} cannot be written{where}: {exc.strerror}") from None
