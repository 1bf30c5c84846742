"""Dead letters and late records, sent once more to where they came from: picked, mended, and nothing twice.

In: a topic of such records, and what is to be done with which of them. Out: the records, with a mark (`letters`) by
which their results are known as corrections; which of them were sent is in a topic of its own (`ledger`).
"""
