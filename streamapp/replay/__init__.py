"""Joins run over files, without a broker.

In: a join described in TOML (`spec`) and two files of JSON lines (`files`), or a file of cases (`cases`). Out: results,
records that are not matched, and what became of all, as structs that are printed as JSON.
"""
