"""Whether the member of a group that has one's static id is alive, as its web views tell."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from ports import free_port
from yarl import URL

from streamapp.kafka.members import StaticMember
from streamapp.worker import static_member
from streamapp.worker.static_member import Sign, look

OWN = URL("http://127.0.0.1:1")


@contextlib.asynccontextmanager
async def listening(answer: Any, status: int = 200, host: str = "127.0.0.1") -> AsyncIterator[str]:
    async def health(_: web.Request) -> web.Response:
        return web.json_response(answer, status=status)

    app = web.Application()
    app.router.add_get("/health/live", health)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, host, port).start()
    try:
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


def sign_of(url: str, *, same_host: bool = True) -> Sign:
    return asyncio.run(look(StaticMember("m-1", "twin", "127.0.0.1", url), OWN, same_host=same_host))


@pytest.mark.parametrize(
    ("answer", "status", "sign"),
    [
        ({"worker": "…", "member": "twin", "live": True}, 200, Sign.ALIVE),
        ({"worker": "…", "member": "twin", "live": False}, 503, Sign.UNKNOWN),  # it stops, and is in the group still
        ({"worker": "…", "member": "another", "live": True}, 200, Sign.GONE),
        ({"live": True}, 200, Sign.ALIVE),  # of a release that does not tell its id
        (["another program"], 200, Sign.GONE),
        ("none", 404, Sign.GONE),
    ],
)
def test_its_health_tells(answer: Any, status: int, sign: Sign) -> None:
    async def ask() -> Sign:
        async with listening(answer, status) as url:
            return await look(StaticMember("m-1", "twin", "127.0.0.1", url), OWN, same_host=True)

    assert asyncio.run(ask()) is sign


def test_it_is_gone_if_nobody_listens() -> None:
    assert sign_of(f"http://127.0.0.1:{free_port()}") is Sign.GONE


def test_it_is_gone_if_this_worker_could_have_its_port() -> None:
    assert sign_of(str(OWN)) is Sign.GONE


@pytest.mark.parametrize("url", ["http://127.0.0.1:2", "http://localhost:2", "http://[::1]:2", str(OWN), ""])
def test_an_address_that_means_this_host_tells_nothing_of_another_one(url: str) -> None:
    assert sign_of(url, same_host=False) is Sign.UNKNOWN


def test_a_member_of_a_host_with_the_same_name_is_asked_at_the_brokers_address() -> None:
    async def ask() -> list[Sign]:
        signs = []
        async with listening({"member": "twin", "live": True}, host="127.0.0.2") as url:
            port = URL(url).port
            for told in (f"http://worker:{port}", f"http://worker:{free_port()}"):
                member = StaticMember("m-1", "twin", "127.0.0.2", told)
                signs.append(await look(member, URL(told), same_host=False))
        return signs

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(static_member, "is_loopback", lambda _: False)  # 127.0.0.2 stands for another host
        # It may be behind that address, where a port of its own is not seen: then the broker tells.
        assert asyncio.run(ask()) == [Sign.ALIVE, Sign.UNKNOWN]


def test_nothing_is_known_if_it_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(static_member, "ANSWER_TIMEOUT_S", 0.1)
    with socket.create_server(("127.0.0.1", free_port())) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        assert sign_of(url) is Sign.UNKNOWN
