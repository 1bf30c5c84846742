"""The agents of this repository, one file each: start reading here.

In: batches of a pipeline's topics. Out: results, dead letters and table rows, as the work on each batch.
"""
