"""A group whose workers are stopped begins anew, begins somewhere, or goes on under another name.

In: an app, the id of its group or of a ``streamapp join``, and from where input is to be read. Out: a `Plan` by `Survey`,
which changes nothing and says in words what would be done; `execute` does it.
"""
