"""Joins run over files, without a broker.

In: a declared join, and files of records for its topics. Out: its results and side outputs, as a worker gives them.
"""
