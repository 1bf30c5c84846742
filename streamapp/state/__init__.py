"""The state of a worker, looked at: rows of tables by key, range and condition, and how far they are.

In: a question, and the tables of an app. Out: rows and counts, each with how far (offset, lag, event clock) what was
read is. Rows are read from snapshots, some at a time and with rests, so that no join waits for it.
"""
