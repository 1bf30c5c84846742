"""What a grace, a window or a TTL brings and costs, before it is declared.

In: topics, or a join as it is declared, and a stretch of its topics, which are only read. Out: how late records are and
what each grace would keep and cost (`measuring`), or what other settings would give for the same records (`trial`).
"""
