"""Peers: the other workers of the group, asked over HTTP for what they know of themselves."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final, TypeVar

import aiohttp
import msgspec
from yarl import URL

from streamapp.topology import App
from streamapp.web.access import authorization

__all__ = ["ask"]

T = TypeVar("T", bound=msgspec.Struct)

#: A worker answers from its memory: one that is silent for longer is down, or stands still.
TIMEOUT: Final = aiohttp.ClientTimeout(total=2.0)


async def ask(app: App, url: str, path: str, kind: type[T]) -> T | str:
    """Return what a worker answers; in words why there is no answer, if there is none.

    Args:
        url: of the worker's views, as the group knows it; "" = it does not.
        path: what is asked for, with its query.
        kind: what the JSON is decoded as.
    """
    if not url:
        return "the group does not know where its views are"
    headers = authorization(app.settings.web_token)
    try:
        asked = URL(f"{URL(url).origin()}{path}", encoded=True)
        async with app.http_client.get(asked, headers=headers, timeout=TIMEOUT, allow_redirects=False) as response:
            if response.status != HTTPStatus.OK:
                return f"it answers {response.status}: is its STREAMAPP_WEB_TOKEN another one, or its version older?"
            return msgspec.json.decode(await response.read(), type=kind)
    except TimeoutError:
        return f"no answer within {TIMEOUT.total:g} s"
    except (aiohttp.ClientError, OSError) as exc:
        return str(exc) or type(exc).__name__
    except (ValueError, msgspec.MsgspecError) as exc:
        return f"what it answers is not understood: is its version another one? {exc}"
