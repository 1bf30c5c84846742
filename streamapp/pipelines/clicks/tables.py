"""The tables."""

from __future__ import annotations

from streamapp.app import app

__all__ = ["profiles"]

profiles = app.table("user_profiles", help="the latest profile of each user, by user_id")
