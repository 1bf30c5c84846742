"""The house: which room may import which. Imports go down only, and between the rooms of one floor there are none."""

from __future__ import annotations

from graphlib import TopologicalSorter

import grimp
import pytest

#: From the top to the bottom. A module is in the room with the longest name that it begins with.
FLOORS = (
    ("__main__",),
    ("cli",),
    ("agents",),
    ("pipelines",),
    ("app",),
    ("pipelines.settings",),
    ("pipelines.clicks.settings", "pipelines.risk.settings", "pipelines.sensors.settings"),
    ("application",),
    ("web",),
    ("state",),
    ("advice",),
    ("browse",),
    ("redrive",),
    ("embedded_kafka", "repartitioning", "reset"),
    ("replay",),
    ("produce",),
    ("topology",),
    ("explain",),
    ("worker",),
    ("runtime",),
    ("stores",),
    ("kafka",),
    ("functions",),
    ("windows",),
    ("formats",),
    ("settings",),
    ("setting_parsers",),
    ("measures",),
    ("joins",),
    ("extras",),
    ("mending",),
    ("conditions", "loopback", "misspelt", "rate_limit"),
    ("errors",),
)
FLOOR = {room: number for number, floor in enumerate(FLOORS) for room in floor}
#: They hold no code: what is imported by these names is below.
FACES = {"streamapp"}


@pytest.fixture(scope="module")
def house() -> grimp.ImportGraph:
    return grimp.build_graph("streamapp", cache_dir=None)


def room_of(module: str) -> str:
    parts = module.removeprefix("streamapp.").split(".")
    names = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((name for name in names if name in FLOOR), parts[0])


def test_every_module_is_in_a_room(house: grimp.ImportGraph) -> None:
    assert {room_of(module) for module in house.modules - FACES} <= FLOOR.keys()


def test_imports_go_down_only(house: grimp.ImportGraph) -> None:
    assert [
        f"{importer} imports {imported}"
        for importer in sorted(house.modules - FACES)
        for imported in sorted(house.find_modules_directly_imported_by(importer) - FACES)
        if room_of(importer) != room_of(imported) and FLOOR[room_of(importer)] >= FLOOR[room_of(imported)]
    ] == []


def test_no_modules_import_each_other_in_a_circle(house: grimp.ImportGraph) -> None:
    below: dict[str, set[str]] = {
        module: house.find_modules_directly_imported_by(module) - FACES for module in house.modules - FACES
    }
    TopologicalSorter(below).prepare()  # raises, and says which
