"""What libraries take to encode and to decode records."""

from __future__ import annotations

import dataclasses

__all__ = ["LibraryFigures"]


@dataclasses.dataclass(frozen=True)
class LibraryFigures:
    """What a library takes for a record of one size.

    Args:
        library: as people call it.
        size: bytes of the record as JSON.
        make_us: CPU (µs) to make the library's object of plain values and to encode it.
        encode_us: to encode an object that is there.
        decode_us: until all values are objects of Python.
        one_us: until one field is.
        raw_bytes: of an encoded record.
        lz4_bytes: of each, when a thousand of them are compressed together.
    """

    library: str
    size: int
    make_us: float
    encode_us: float
    decode_us: float
    one_us: float
    raw_bytes: float
    lz4_bytes: float

    @property
    def both_us(self) -> float:
        """CPU (µs) for a record that is made, encoded, and decoded again."""
        return self.make_us + self.decode_us
