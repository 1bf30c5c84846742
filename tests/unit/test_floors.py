"""The house: which room may import which. Imports go down only, and between the rooms of one floor there are none."""

from __future__ import annotations

import grimp
import pytest

#: From the top to the bottom. A module is in the room with the longest name that it begins with.
FLOORS = (
    ("__main__", "cli"),
    ("agents",),
    ("pipelines",),
    ("app",),
    ("web",),
    ("embedded_kafka", "repartitioning", "reset"),
    ("replay",),
    ("produce",),
    ("topology",),
    ("explain",),
    ("worker",),
    ("runtime",),
    ("stores",),
    ("kafka",),
    ("formats",),
    ("settings",),
    ("setting_parsers",),
    ("choices",),
    ("joins",),
    ("extras",),
    ("errors", "loopback", "misspelt", "rate_limit"),
)
FLOOR = {room: number for number, floor in enumerate(FLOORS) for room in floor}
#: They hold no code: what is imported by these names is below.
FACES = {"streamapp"}


@pytest.fixture(scope="module")
def house() -> grimp.ImportGraph:
    return grimp.build_graph("streamapp", cache_dir=None)


def room_of(module: str) -> str:
    return module.removeprefix("streamapp.").partition(".")[0]


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
    seen: list[str] = []
    done: set[str] = set()

    def circle_from(module: str) -> list[str]:
        if module in seen:
            return [*seen[seen.index(module) :], module]
        if module in done:
            return []
        seen.append(module)
        for imported in sorted(house.find_modules_directly_imported_by(module) - FACES):
            if found := circle_from(imported):
                return found
        done.add(seen.pop())
        return []

    assert [found for module in sorted(house.modules - FACES) if (found := circle_from(module))] == []
