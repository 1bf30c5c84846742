"""Conditions as options."""

from __future__ import annotations

import click

from streamapp.conditions import Condition, ConditionError, condition

__all__ = ["ConditionType"]


class ConditionType(click.ParamType):
    """A condition on the command line."""

    name = "condition"

    def convert(self, value: object, _param: click.Parameter | None, _ctx: click.Context | None) -> Condition:
        """Read it."""
        try:
            return condition(str(value))
        except ConditionError as exc:
            raise click.BadParameter(str(exc)) from None
