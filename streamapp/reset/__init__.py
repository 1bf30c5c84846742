"""A group whose workers are stopped begins anew, begins somewhere, or goes on under another name.

In: an app, the id of its group or of a ``streamapp join``, and from where input is to be read. `Survey` looks at what
there is and makes a `Plan`, which changes nothing and says in words what would be done; `execute` does it.
"""
