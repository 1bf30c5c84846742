"""Files of Protobuf's language (``.proto``), compiled by the protoc that is in grpcio-tools."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import grpc_tools
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from streamapp.errors import StreamappError
from streamapp.formats.protobuf_names import SUFFIX

__all__ = ["compiled", "compiled_file", "pooled"]


def compiled(path: Path, message: str, include: tuple[str, ...]) -> type[Message]:
    """Return the class of a message of a file; `include` has the directories of files that it imports, besides its own.

    Raises:
        StreamappError: if it has no such message, or cannot be compiled.
    """
    if not path.exists():
        raise StreamappError(f"there is no file {path}, which is to have a Protobuf message")
    last = compiled_file(path, include)
    names = [*last.message_types_by_name]
    if not message and len(names) != 1:
        raise StreamappError(f"{path} has the messages {', '.join(names) or '(none)'}: name the one that values are")
    named = message or names[0]
    package = f"{last.package}." if last.package else ""
    try:
        descriptor = last.pool.FindMessageTypeByName(named if named.startswith(package) else package + named)
    except KeyError:
        raise StreamappError(f"{path} has no message {named}; it has {', '.join(names) or 'none'}") from None
    return GetMessageClass(descriptor)


def compiled_file(path: Path, include: tuple[str, ...] = ()) -> FileDescriptor:
    """Return what is in a file, in a pool of its own with what it imports.

    Raises:
        StreamappError: if it cannot be compiled.
    """
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
            lines = [line for line in ran.stderr.splitlines() if line] or ["protoc failed"]
            # It may write of other things before.
            error = next((line for line in lines if f"{path.name}:" in line), lines[-1])
            error = error.replace(f"{path.parent.absolute()}/", "")
            raise StreamappError(f"{path} cannot be compiled: {error}")
        files = FileDescriptorSet.FromString(out.read_bytes())
    pool = DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return pool.FindFileByName(files.file[-1].name)


def pooled(files: Iterable[bytes]) -> FileDescriptor:
    """Return what is in the last of compiled files (a serialized ``FileDescriptorProto`` each), each after its imports.

    Those that come with Protobuf need not be among them.

    Raises:
        StreamappError: if they are none.
    """
    pool, there, last = DescriptorPool(), set[str](), ""

    def add(file: FileDescriptorProto) -> None:
        for name in file.dependency:
            if name not in there:
                module = importlib.import_module(f"{name.removesuffix(SUFFIX).replace('/', '.')}_pb2")
                add(FileDescriptorProto.FromString(module.DESCRIPTOR.serialized_pb))
        pool.Add(file)
        there.add(file.name)

    try:
        for data in files:
            file = FileDescriptorProto.FromString(data)
            add(file)
            last = file.name
        return pool.FindFileByName(last)
    except (DecodeError, ImportError, TypeError, KeyError) as exc:
        raise StreamappError(f"it is no compiled file of Protobuf: {exc}") from None
