"""Producing: the records of a pipeline's generated traffic, or the lines of a file, delivered and accounted for.

In: a `traffic.Traffic`, which a pipeline has, or lines (`source`, `lines`, `times`). Out: records in topics, at a rate
(`pacing`), until the end or Ctrl-C (`interrupt`), and a `delivery.Report` of what became of them. No Faust in here.
"""
