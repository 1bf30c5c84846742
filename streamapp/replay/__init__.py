"""Joins run over files, without a broker."""
