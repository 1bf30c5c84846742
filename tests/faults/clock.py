"""The wall clock of the workers, which can be made to jump (libfaketime)."""

from __future__ import annotations

import importlib.util
from pathlib import Path

__all__ = ["Clock"]


class Clock:
    """A wall clock that differs from the machine's; the monotonic one stays as it is.

    Args:
        file: by which the processes are told.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.jump(0)

    @staticmethod
    def library() -> Path | None:
        """Give libfaketime's shared library, if it is installed."""
        package = importlib.util.find_spec("libfaketime")
        if package is None or package.origin is None:
            return None
        library = Path(package.origin).parent / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
        return library if library.is_file() else None

    @property
    def environment(self) -> dict[str, str]:
        """Give what makes a process go by this clock."""
        return {
            "LD_PRELOAD": str(self.library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def jump(self, seconds: int) -> None:
        """Set it so many seconds before (less than 0) or after the machine's."""
        self._file.write_text(f"{seconds:+d}")
