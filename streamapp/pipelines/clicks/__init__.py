"""Clicks joined with the profiles of their users.

In: ``user_profiles`` and ``user_clicks``. Out: ``joined_data``, ``unmatched_clicks`` and dead letters. The join itself
is in `streamapp.agents.clicks`.
"""
