"""An app in Faust's words: agents on events that ask, cast, group, forward and time."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import faust

from streamapp import App


class Order(faust.Record):
    customer: str
    amount: int


app = App(origin="faust_words_app", broker_heartbeat_interval=0.2, reply_create_topic=True)
orders = app.topic("orders", value_type=Order)
doubled = app.topic("doubled", value_type=int)
copies = app.topic("copies", value_type=Order)
totals = app.Table("totals", default=int)
per_minute = app.Table("per_minute", default=int).tumbling(timedelta(minutes=1), expires=timedelta(days=1))
ticks = 0


@app.agent()
async def double(numbers):
    async for number in numbers:
        yield 2 * number


@app.agent(orders)
async def total(stream):
    async for order in stream.group_by(Order.customer):
        totals[order.customer] += order.amount
        per_minute[order.customer] += 1
        await doubled.send(key=order.customer, value=await double.ask(order.amount))


@app.agent(orders)
async def copy(stream):
    async for _ in stream.through(copies):
        pass


@app.agent(doubled)
async def forget(stream):
    async for event in stream.events():
        if event.value == 14:
            await forgotten.cast(event.key.decode())


@app.agent(value_type=str)
async def forgotten(names):
    async for name in names.group_by(lambda name: name, name="name"):
        totals.pop(name)


@app.timer(0.1)
async def tick():
    global ticks
    ticks += 1


@app.page("/ticks/")
async def ticked(web, request):
    return web.json({"ticks": ticks})


@app.page("/window/{customer}/")
async def window(web, request, customer):
    values = [value for (key, _), value in per_minute.table.items() if key == customer]
    return web.json(values)


@app.command()
async def tell():
    print("told by a command")
    await asyncio.sleep(0)
