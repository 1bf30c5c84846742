"""What the bytes of a key or a value are: JSON, a CloudEvent, another format, or something that is named and refused.

In: bytes and headers. Out: the data, or `Undecodable` with a `Reason` and a line that says what was seen instead.

Within the app a value is JSON, and a key is text: what joins keep, windows take fields of, functions get decoded and
internal topics carry. A topic with another `Format` is translated where it is read (`serde.Read`, once a record) and
where it is written (`runtime.output.Output`), and nowhere else. So inputs of any formats join with each other, results
may have another one, state does not depend on a schema that changes, and where all is JSON nothing is done. Two things
go on as they came: dead letters, and what the click agent joins (`pipelines/clicks/`), which puts the bytes of both
sides into a result of the same format, and keeps those of profiles.
"""

from streamapp.formats.avro import Avro
from streamapp.formats.format import Format, FormatDeclaration, Json
from streamapp.formats.msgpack import MessagePack
from streamapp.formats.protobuf import Protobuf
from streamapp.formats.raw import Raw
from streamapp.formats.registered import Registered

__all__ = ["Avro", "Format", "FormatDeclaration", "Json", "MessagePack", "Protobuf", "Raw", "Registered"]
