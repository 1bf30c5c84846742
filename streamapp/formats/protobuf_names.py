"""Names of Protobuf's: of its files, and of what comes with it."""

from __future__ import annotations

from typing import Final

__all__ = ["SUFFIX", "WELL_KNOWN", "WELL_KNOWN_FILES"]

#: Of files in its language.
SUFFIX: Final = ".proto"
#: The package of types that may have another form in JSON than an object, and the directory of their files.
WELL_KNOWN: Final = "google.protobuf."
WELL_KNOWN_FILES: Final = "google/protobuf/"
