"""Views with the profiles of their users, where a profile is good for a day: a join of a stream with a table.

Run it:       faust -A examples.enrichment worker -l info
Send:         echo '{"user": "ann", "plan": "free"}' | streamapp produce profiles --key user
              echo '{"user": "ann", "url": "/"}'     | streamapp produce views --key user
What it gives: named_views has {"user": "ann", "url": "/", "plan": "free"}. A view without a profile is there with a
              plan of null; one whose profile is older than a day, too, and once more in stale_views.
"""

from __future__ import annotations

from datetime import timedelta

import msgspec

from streamapp import App, Joined, Record, Row


class Profile(msgspec.Struct):
    user: str
    plan: str


class View(msgspec.Struct):
    user: str
    url: str


class NamedView(View):
    plan: str | None


def named(pair: Joined) -> NamedView:
    """Make the value of a result."""
    view = msgspec.json.decode(value_of(pair.left), type=View)
    plan = None if pair.right is None else msgspec.json.decode(value_of(pair.right), type=Profile).plan
    return NamedView(view.user, view.url, plan)


def value_of(side: Record | Row | None) -> bytes:
    """Return the JSON of a side of a result, which is None where it is missing."""
    return (side and side.value) or b""


app = App("enrichment")
views = app.topic("views", type=View, create=True)
profiles = app.topic("profiles", type=Profile, create=True).table(ttl=timedelta(days=1))

views.join(profiles, how="left").to("named_views", value=named, expired="stale_views")
