"""The way of a batch, from the fetch to the commit; neither Faust's side nor what a join means.

In: fetched records (`feed`), told apart and put in order by event time (`alignment`). A `batch` goes to an agent, whose
`work` on it is results, rejected records and rows. Out: `checkpoint` makes finished work durable through `outbox` and
`delivery`; `restore` brings stores up to date with their changelogs.
"""
