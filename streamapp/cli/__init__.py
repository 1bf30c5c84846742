"""The command `streamapp`: a group (`group`) of commands, one file each, imported when it is used.

In: what a user writes on the command line. Out: lines for people or JSON for programs, and an exit code: 0, 1 for what
went wrong (one line on stderr), 2 for a command line that cannot be.
"""
