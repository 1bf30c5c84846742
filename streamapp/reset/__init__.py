"""A new start of an app or a join, on purpose: from where its input is read, and what becomes of its state.

In: an app of which no worker runs, and from where it is to begin. Out: a plan that is shown, and done if asked for:
committed offsets, changelogs and stores.
"""
