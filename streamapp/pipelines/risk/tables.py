"""The tables."""

from __future__ import annotations

from streamapp.app import app

__all__ = ["profiles"]

profiles = app.table("accounts", help="the latest profile of each account")
