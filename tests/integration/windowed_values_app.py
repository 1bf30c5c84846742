"""Faust's own windowed tables: events by minute, by their time or by a field; what expires goes to a topic."""

from __future__ import annotations

from datetime import timedelta

import faust

from streamapp import App

MINUTE = timedelta(minutes=1)


class Reading(faust.Record):
    sensor: str
    at: float = 0.0


app = App(origin="windowed_values_app", table_cleanup_interval=0.1)
readings, closed = app.topic("readings", value_type=Reading), app.topic("closed", value_type=dict)


async def tell(key, value):
    sensor, (start, _) = key
    await closed.send(key=sensor, value={"start": start, "count": value})


counts = app.Table("counts", default=int, on_window_close=tell).tumbling(MINUTE, expires=MINUTE)
by_field = app.Table("by_field", default=int).hopping(2 * MINUTE, MINUTE, expires=timedelta(days=1))
by_field = by_field.relative_to_field(Reading.at)  # type: ignore[arg-type]  # of the class it is a descriptor


@app.agent(readings)
async def count(stream):
    async for reading in stream:
        counts[reading.sensor] += 1
        if reading.at:
            by_field[reading.sensor] += 1


@app.page("/fields/{sensor}/")
async def fields(web, request, sensor):
    return web.json({f"{start:g}": value for (key, (start, _)), value in by_field.table.items() if key == sensor})
