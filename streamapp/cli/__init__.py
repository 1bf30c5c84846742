"""The commands, one file each, beside Faust's own.

In: arguments and the environment. Out: what is printed, and an exit code; what a command does is in the rooms below.
"""
