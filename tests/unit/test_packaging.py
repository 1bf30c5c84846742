"""What `setup.cfg` declares is what the package imports, no less and no more."""

from __future__ import annotations

import ast
import configparser
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from faust.serializers.codecs import dumps
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from streamapp.extras import Extra, MissingExtraError, require

ROOT = Path(__file__).parents[2]
#: Declared for others' sake: Faust's json codec writes other bytes without it.
NOT_IMPORTED = {"orjson"}


def read_setup() -> configparser.ConfigParser:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    return setup


def requirements(text: str) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for line in text.splitlines() if line}


SETUP = read_setup()
CORE = requirements(SETUP["options"]["install_requires"])
EXTRAS = {extra.extra: requirements(SETUP["options.extras_require"][extra.extra]) for extra in Extra}


#: Packages whose modules several distributions share: which has which of them.
SHARED = {
    "opentelemetry.trace": "opentelemetry-api",
    "opentelemetry.sdk": "opentelemetry-sdk",
    "opentelemetry.exporter": "opentelemetry-exporter-otlp-proto-http",
}


#: The distributions of each module that can be imported; to find them takes half a second.
INSTALLED = packages_distributions()


def top_level(module: str) -> str:
    """Return the part of a module's name by which its distribution is known."""
    return next((shared for shared in SHARED if module.startswith(shared)), module.partition(".")[0])


def imported_modules(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (top_level(alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield top_level(node.module)


def distribution(module: str) -> str:
    """Return what installs a module: of several with a part of it each (google), the one that is declared."""
    if module in SHARED:
        return SHARED[module]
    found = {canonicalize_name(name) for name in INSTALLED[module]}
    declared = CORE.union(*EXTRAS.values())
    return min(found & declared or found)


def imported_distributions() -> set[str]:
    modules = {module for path in (ROOT / "streamapp").rglob("*.py") for module in imported_modules(path)}
    third_party = modules - sys.stdlib_module_names - {"streamapp"}
    return set(map(distribution, third_party))


def test_all_that_is_imported_is_declared() -> None:
    assert imported_distributions() - CORE - set().union(*EXTRAS.values()) == set()


def test_all_that_is_declared_is_imported() -> None:
    assert CORE | set().union(*EXTRAS.values()) == imported_distributions() | NOT_IMPORTED


@pytest.mark.parametrize("extra", Extra)
def test_an_extra_is_known_by_the_modules_that_it_installs(extra: Extra) -> None:
    assert set(map(distribution, extra.modules)) == EXTRAS[extra.extra]


def test_the_extra_all_has_each_of_the_others_that_a_worker_may_need() -> None:
    others = SETUP["options.extras_require"].keys() - {"all", "dev", "training"}
    assert Requirement(SETUP["options.extras_require"]["all"].strip()).extras == others


@pytest.mark.parametrize("extra", Extra)
def test_an_extra_that_is_there_is_no_error(extra: Extra) -> None:
    require(extra)


@pytest.mark.parametrize("extra", Extra)
def test_a_missing_extra_is_one_line_that_installs_it(extra: Extra, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, extra.modules[-1], None)
    with pytest.raises(MissingExtraError) as error:
        require(extra)
    assert str(error.value) == f"{extra.feature} needs pip install 'streamapp[{extra.extra}]'"


def test_the_library_of_joins_needs_neither_faust_nor_kafka() -> None:
    looked = "import streamapp.joins, sys; print({'faust', 'mode', 'aiokafka', 'confluent_kafka'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", looked], capture_output=True, text=True, check=True)
    assert ran.stdout == "set()\n"


def test_keys_of_faust_tables_are_written_as_utf_8() -> None:
    assert dumps("json", "é") == '"é"'.encode()
