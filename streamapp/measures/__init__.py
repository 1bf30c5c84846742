"""What can be measured of streams: how late records are, how many are held, how far partners are apart, what differs.

In: times, keys and places of records, in the order in which they came. Out: counts in bounded memory, which can be
merged, and whose error is stated. Pure as `joins/` is.
"""
