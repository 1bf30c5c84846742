"""The values that clients produce: somewhat more than half of each is the same in all, the rest are random digits."""

import random

#: Bytes of values that differ, over and over again: more than lz4 looks back (64 KiB).
DIFFERENT = 200_000
#: Of values, at least.
FEWEST = 100


def values(size: int) -> list[bytes]:
    """Return values of so many bytes, a multiple of 100; the same in each process."""
    digits = random.Random(19)
    return [
        b"".join(
            b'{"user":"%010x","page":"/catalogue/items/of/day","session":"%032x"}\n'
            % (digits.getrandbits(40), digits.getrandbits(128))
            for _ in range(size // 100)
        )
        for _ in range(max(FEWEST, DIFFERENT // size))
    ]
