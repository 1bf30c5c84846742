"""A new start of an app or a join, on purpose: from where its input is read, and what becomes of its state."""
