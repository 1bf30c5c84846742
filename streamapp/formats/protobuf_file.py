"""Files of Protobuf's language (``.proto``), compiled by the protoc that is in grpcio-tools."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import cast

import grpc_tools
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from streamapp.errors import StreamappError

__all__ = ["compiled"]


def compiled(path: Path, message: str, include: tuple[str, ...]) -> type[Message]:
    """Return the class of a message of a file; `include` has the directories of files that it imports, besides its own.

    Raises:
        StreamappError: if it has no such message, or cannot be compiled.
    """
    if not path.exists():
        raise StreamappError(f"there is no file {path}, which is to have a Protobuf message")
    own = Path(cast(str, grpc_tools.__file__)).parent / "_proto"
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory, "descriptors")
        paths = [f"-I{one}" for one in (path.parent.absolute(), *include, own)]
        # A process of its own: the compiler's errors go to the standard error, past Python's.
        command = [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            *paths,
            f"--descriptor_set_out={out}",
            "--include_imports",
        ]
        ran = subprocess.run([*command, str(path.absolute())], capture_output=True, text=True, check=False)
        if ran.returncode:
            error = next(filter(None, ran.stderr.splitlines()), "protoc failed").replace(
                f"{path.parent.absolute()}/", ""
            )
            raise StreamappError(f"{path} cannot be compiled: {error}")
        files = FileDescriptorSet.FromString(out.read_bytes())
    pool = DescriptorPool()
    for file in files.file:
        pool.Add(file)
    last = files.file[-1]
    names = [one.name for one in last.message_type]
    if not message and len(names) != 1:
        raise StreamappError(f"{path} has the messages {', '.join(names) or '(none)'}: name the one that values are")
    named = message or names[0]
    package = f"{last.package}." if last.package else ""
    try:
        descriptor = pool.FindMessageTypeByName(named if named.startswith(package) else package + named)
    except KeyError:
        raise StreamappError(f"{path} has no message {named}; it has {', '.join(names) or 'none'}") from None
    return GetMessageClass(descriptor)
