"""The table of seams in README.md: which functions of aiokafka and Faust are relied on, and by what.

`python tests/seams/seams.py` writes it anew for what is installed, once what has changed was read.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import inspect
import io
import pkgutil
import re
import textwrap
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import streamapp

ROOMS = ("streamapp.kafka", "streamapp.worker")
#: By the first part of a name, the distribution that it comes from.
DISTRIBUTIONS = {"aiokafka": "aiokafka", "faust": "faust-streaming", "mode": "mode-streaming"}
TABLE = Path(__file__).parent / "README.md"
#: Where the table begins in it.
HEAD = "| object | version | source | relied on by |\n|---|---|---|---|\n"
#: Tokens that say nothing of what a function does.
SILENT = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}


class Seam(NamedTuple):
    """A function of aiokafka, Faust or Mode that is replaced, copied, or called by a private name."""

    name: str
    #: Of the distribution it was read from.
    version: str
    #: Digest of its source.
    source: str
    #: Files in `streamapp/`.
    relied_on_by: tuple[str, ...]

    @classmethod
    def installed(cls, name: str, relied_on_by: tuple[str, ...]) -> Seam:
        """Return the seam as it is in what is installed."""
        return cls(name, version(DISTRIBUTIONS[name.split(".")[0]]), digest(found(name)), relied_on_by)

    def __str__(self) -> str:
        files = ", ".join(f"`{file}`" for file in self.relied_on_by)
        return f"| `{self.name}` | {self.version} | `{self.source}` | {files} |"


def table() -> list[Seam]:
    """Return the rows of the table."""
    rows = TABLE.read_text().partition(HEAD)[2].splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows if row]
    return [
        Seam(name.strip("`"), read, source.strip("`"), tuple(files.replace("`", "").split(", ")))
        for name, read, source, files in cells
    ]


def found(name: str) -> Any:
    """Return what has a full name: a function, or a property or class attribute as it stands in its class.

    Raises:
        AttributeError: if there is nothing of the name.
    """
    parts = name.split(".")
    for count in range(len(parts) - 1, 0, -1):
        try:
            there: Any = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            there = inspect.getattr_static(there, part)
        return there
    raise AttributeError(name)


def digest(there: Any) -> str:
    """Return a digest of a function's source, whatever its comments and the whitespace in it are."""
    tokens = tokenize.generate_tokens(io.StringIO(inspect.getsource(_function(there))).readline)
    said = "".join(token.string for token in tokens if token.type not in SILENT)
    return hashlib.sha256("".join(said.split()).encode()).hexdigest()[:12]


def _function(there: Any) -> Any:
    """Return the function of a method, a property, or a task of a Mode service."""
    for wrapped in ("fget", "fun", "__func__", "__wrapped__"):
        there = getattr(there, wrapped, None) or there
    return there


def does_something(there: Any) -> bool:
    """Return whether a function has more than a text, and `pass`, `...` or a `raise`."""
    function = _function(there)
    if not inspect.isfunction(function):
        return False
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    assert isinstance(tree, (ast.FunctionDef, ast.AsyncFunctionDef))
    body = [one for one in tree.body if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))]
    return not all(isinstance(one, (ast.Pass, ast.Raise)) for one in body)


def overridden() -> dict[str, tuple[str, ...]]:
    """Return the functions that classes of ours override, with the files that do."""
    files: dict[str, set[str]] = defaultdict(set)
    for ours in _classes():
        for name in vars(ours).keys() - {"__init__", "__doc__", "__module__"}:
            base = next((base for base in ours.__mro__[1:] if name in vars(base)), object)
            top = base.__module__.split(".")[0]
            if top in DISTRIBUTIONS and does_something(vars(base)[name]):
                files[f"{base.__module__}.{base.__qualname__}.{name}"].add(_file(ours.__module__))
    return {name: tuple(sorted(there)) for name, there in files.items()}


def _classes() -> Iterator[type]:
    for room in ROOMS:
        for module in pkgutil.iter_modules(importlib.import_module(room).__path__, f"{room}."):
            for there in vars(importlib.import_module(module.name)).values():
                if inspect.isclass(there) and there.__module__ == module.name:
                    yield there


def _file(module: str) -> str:
    return module.removeprefix("streamapp.").replace(".", "/") + ".py"


def _relying(seam: Seam) -> tuple[str, ...]:
    """Return the files that rely on a seam: of those that are gone, the ones that name it now."""
    package = Path(streamapp.__file__).parent
    there = [file for file in seam.relied_on_by if (package / file).is_file()]
    files = [file for room in ROOMS for file in (package / room.rpartition(".")[2]).glob("*.py")]
    name = re.compile(rf"\b{re.escape(seam.name.rpartition('.')[2])}\b")
    return tuple(there or (str(file.relative_to(package)) for file in files if name.search(file.read_text())))


def _write() -> None:
    relied = {seam.name: files for seam in table() if (files := _relying(seam))}
    seams = [Seam.installed(*one) for one in sorted({**relied, **overridden()}.items())]
    text = TABLE.read_text().partition(HEAD)[0]
    TABLE.write_text(text + HEAD + "".join(f"{seam}\n" for seam in seams))


if __name__ == "__main__":
    _write()
