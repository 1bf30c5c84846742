"""What the bytes of a key or a value are: JSON, a CloudEvent, or something that is named and refused.

In: bytes and headers. Out: the data, or `Undecodable` with a `Reason` and a line that says what was seen instead.
"""
