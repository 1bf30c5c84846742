"""Faust's page views (`docs/playbooks/pageviews.rst` of faust-streaming 0.15.3); only the import and `App` are ours."""

from __future__ import annotations

import faust

from streamapp import App

app = App("page_views")


class PageView(faust.Record):
    id: str
    user: str


page_view_topic = app.topic("page_views", value_type=PageView)
page_views = app.Table("page_views", default=int)


@app.agent(page_view_topic)
async def count_page_views(views):
    async for view in views.group_by(PageView.id):
        page_views[view.id] += 1
