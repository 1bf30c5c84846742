from __future__ import annotations

from xml.etree import ElementTree

from mode.utils.trees import Node

from streamapp.web.graph import draw

SVG = "{http://www.w3.org/2000/svg}"


def texts(picture: str) -> list[str | None]:
    return [text.text for text in ElementTree.fromstring(picture).iter(f"{SVG}text")]  # noqa: S314 (our own XML)


def test_services_are_drawn_from_the_root_down_each_under_the_one_that_started_it() -> None:
    worker = Node("worker")
    app = worker.new("app")
    app.new("producer")
    app.new("consumer").new("fetcher")
    worker.new("website")
    assert texts(draw(worker)) == ["worker", "app", "producer", "consumer", "fetcher", "website"]


def test_a_service_is_connected_with_its_parent_only() -> None:
    root = Node("root")
    root.new("child").new("grandchild")
    assert draw(root).count("<path") == 2


def test_labels_with_markup_are_shown_as_text() -> None:
    assert texts(draw(Node("<Stream: a & b>"))) == ["<Stream: a & b>"]
