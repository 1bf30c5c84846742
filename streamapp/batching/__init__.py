"""Whole record batches through Faust agents: transport, alignment, recovery, output.

The only room that touches the insides of Faust's transport and of aiokafka; each such place says which version
it was read from.
"""
