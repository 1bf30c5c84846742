"""Faust's own words, with single events and models, beside a join: stars of an item, and reviews with their items.

Run it:       faust -A examples.reviews worker -l info
Send:         echo '{"item": "tea", "stars": 4}'       | streamapp produce stars --key item
              echo '{"item": "tea", "text": "fine"}'   | streamapp produce reviews --key item
              echo '{"item": "tea", "shelf": "A7"}'    | streamapp produce items --key item
What it gives: curl localhost:6066/stars/tea/        {"item": "tea", "mean": 4.0}
              reviews_of_items has each review with its item.
"""

from __future__ import annotations

import faust
from faust.types import StreamT
from faust.web import Request, Response, View

from streamapp import App


class Stars(faust.Record):
    item: str
    stars: int


app = App("reviews")
given = app.topic("stars", key_type=str, value_type=Stars, create=True)
stars = app.Table("stars_of_items", default=list)

app.topic("reviews", create=True).join(app.topic("items", create=True).table()).to("reviews_of_items")


@app.agent(given)
async def count(reviews: StreamT[Stars]) -> None:
    """Keep the stars of each item."""
    async for review in reviews:
        stars[review.item] = [*stars[review.item], review.stars]


@app.page("/stars/{item}/")
@app.table_route(table=stars, match_info="item")
async def mean(view: View, _request: Request, item: str) -> Response:
    """Answer with the mean of an item's stars."""
    found = stars[item]
    return view.json({"item": item, "mean": sum(found) / len(found) if found else None})
