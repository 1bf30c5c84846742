"""Rules: what a condition says of a batch, and one line with the place for what is none."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.pipelines.risk.expressions import Columns, ExpressionError, Kind, condition
from streamapp.pipelines.risk.models import Decision
from streamapp.pipelines.risk.rules import NAMES, Rule, Rules, RulesError, read_rules

KINDS = {"a": Kind.NUMBER, "b": Kind.NUMBER, "t": Kind.TEXT, "late": Kind.TRUTH}
NULL = math.nan
BATCH: Columns = {
    "a": np.array([1.0, NULL, 3.0]),
    "b": np.array([0.0, 1.0, 2.0]),
    "t": np.array(["x", "y", "z"], dtype=np.object_),
    "late": np.array([True, False, False]),
}


def holds(text: str, batch: Columns = BATCH) -> list[bool]:
    return np.broadcast_to(condition(text, KINDS)[0](batch), 3).tolist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a > 1", [False, False, True]),
        ("a >= 1 and b < 2", [True, False, False]),
        ("a == 1 or b == 1", [True, True, False]),
        ("1 < a < 4", [False, False, True]),
        ("a + b * 2 == 7", [False, False, True]),
        ("-a < -2", [False, False, True]),
        ("(a - 1) / 2 == 1", [False, False, True]),
        ("a in [1, -3]", [True, False, False]),
        ("a not in (1, 2)", [False, False, True]),
        ("t == 'x'", [True, False, False]),
        ("t != 'x'", [False, True, True]),
        ('t in ["y", "z"]', [False, True, True]),
        ("t not in {'y'}", [True, False, True]),
        ("late", [True, False, False]),
        ("not late and b > 1", [False, False, True]),
        ("1 < 2", [True, True, True]),
        ("a > 1\n    and b > 1", [False, False, True]),
    ],
)
def test_a_condition_tells_for_which_records_it_holds(text: str, expected: list[bool]) -> None:
    assert holds(text) == expected


@pytest.mark.parametrize(
    "text", ["a > 0", "a < 9", "a == a", "a != 7", "a in [1]", "a not in [1]", "a + 1 > 0", "-a < 9"]
)
def test_null_makes_every_comparison_false(text: str) -> None:
    assert not holds(text)[1]


def test_not_makes_true_of_a_comparison_with_null() -> None:
    assert holds("not a > 0")[1]


def test_a_division_by_0_is_null() -> None:
    assert holds("a / b > 0 or a / b <= 0") == [False, False, True]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "column 1: invalid syntax"),
        ("a >", "column 4: invalid syntax|column 1: invalid syntax"),
        ("a == 'x", "column 6: unterminated string literal"),
        ("a", "column 1: a is a number, where true or false is needed"),
        ("t", "column 1: t is a text, where true or false is needed"),
        ("b > 1 and c > 1", "column 11: there is no c; there are a, b, t, late"),
        ("lat", "column 1: there is no lat; is late meant?"),
        ("a > 't'", "column 5: 't' is a text, where a number is needed"),
        ("t < 'x'", "column 1: t is a text, and has no order"),
        ("late == late", "column 1: late is true or false, and is not compared"),
        ("late > 1", "is true or false"),
        ("a is 1", "column 6: is compares by =="),
        ("t in 'xyz'", "column 6: in needs numbers or strings in brackets"),
        ("a in [b]", "column 6: what stands in brackets must be numbers or strings"),
        ("a in ['1']", "column 7: '1' is a text, where a number is needed"),
        ("a + t > 1", "column 5: t is a text, where a number is needed"),
        ("a > 1" + "9" * 400, "column 5: the number is too large"),
        ("a > 0 " * 500, "it has 3,000 characters, and may have 2,000"),
        ("-" * 200 + "a > 0", "it is too deep"),
        ("(" * 900 + "a" + ")" * 900, "it cannot be read|too many nested parentheses"),
    ],
)
def test_what_is_no_condition_says_where_and_why(text: str, why: str) -> None:
    with pytest.raises(ExpressionError, match=why):
        condition(text, KINDS)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')",
        "a.real > 1",
        "f(a) > 1",
        "[x for x in a] > 1",
        "(lambda: 1) > 1",
        "a ** 9 > 1",
        "a % 2 == 1",
        "a if late else b",
        "a[0] > 1",
        "(c := 1) > 2",
        "f'{a}' == t",
        "None == a",
        "True",
        "late == True",
        "1j > a",
        "b'x' == t",
        "a > ...",
        "await a",
        "a, b",
        "~a > 1",
        "+a > 1",
        "a & b > 1",
    ],
)
def test_nothing_else_of_python_is_a_condition(text: str) -> None:
    with pytest.raises(ExpressionError):
        condition(text, KINDS)


@given(st.text(max_size=40) | st.text(alphabet="ab t<>=()[]'\"andornit+-*/0123456789.,", max_size=40))
def test_any_text_is_a_condition_or_refused_in_one_line(text: str) -> None:
    try:
        holds(text)
    except ExpressionError as exc:
        assert len(str(exc).splitlines()) == 1  # noqa: PT017


OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
#: A condition, and what it says of the numbers a and b.
Condition = tuple[str, Callable[[float, float], bool]]
numbers = st.integers(-3, 3)


def compared(left: str, name: str, right: int) -> Condition:
    def value(a: float, b: float) -> bool:
        one = {"a": a, "b": b, "a+b": a + b, "a*2": a * 2}[left]
        return not math.isnan(one) and OPERATORS[name](one, right)

    return f"{left} {name} {right}", value


def both(one: Condition, other: Condition) -> Condition:
    return f"({one[0]}) and {other[0]}", lambda a, b: one[1](a, b) and other[1](a, b)


def either(one: Condition, other: Condition) -> Condition:
    return f"({one[0]} or {other[0]})", lambda a, b: one[1](a, b) or other[1](a, b)


def none(one: Condition) -> Condition:
    return f"(not ({one[0]}))", lambda a, b: not one[1](a, b)


conditions = st.recursive(
    st.builds(compared, st.sampled_from(["a", "b", "a+b", "a*2"]), st.sampled_from([*OPERATORS]), numbers),
    lambda inner: st.builds(both, inner, inner) | st.builds(either, inner, inner) | st.builds(none, inner),
    max_leaves=6,
)
values = numbers.map(float) | st.just(NULL)


@given(conditions, st.lists(st.tuples(values, values), min_size=1, max_size=8))
def test_a_condition_means_what_python_does_but_for_null(one: Condition, batch: list[tuple[float, float]]) -> None:
    columns = {"a": np.array([a for a, _ in batch]), "b": np.array([b for _, b in batch])}

    assert condition(one[0], KINDS)[0](columns).tolist() == [one[1](a, b) for a, b in batch]


def rule(name: str = "r", when: str = "amount > 5", decision: Decision = Decision.REVIEW) -> Rule:
    return Rule(name, when, decision)


def test_each_record_has_the_rules_that_hold_for_it_in_their_order() -> None:
    rules = Rules([rule("large"), rule("any", "amount > 0"), rule("none", "amount < 0")])

    held = rules.holding({"amount": np.array([1.0, 9.0])}, 2)

    assert [[one.name for one in rules] for rules in held] == [["any"], ["large", "any"]]


def test_rules_say_by_which_texts_they_go() -> None:
    assert Rules([rule(when="ip == 'x' and amount > 1"), rule("s", "account in ['a']")]).texts == {"ip", "account"}


def test_rules_can_go_by_all_features_the_score_and_who_it_is() -> None:
    for name, kind in NAMES.items():
        condition({Kind.NUMBER: f"{name} > 0", Kind.TEXT: f"{name} == 'x'", Kind.TRUTH: name}[kind], NAMES)


def written(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "rules.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_rules_are_read_from_toml(tmp_path: Path) -> None:
    text = '[[rule]]\nname = "n"\nwhen = "amount > 1"\ndecision = "decline"\nreason = "why"\n'

    assert read_rules(written(tmp_path, text)).rules == (Rule("n", "amount > 1", Decision.DECLINE, "why"),)


def test_a_file_without_rules_is_fine(tmp_path: Path) -> None:
    assert read_rules(written(tmp_path, "# none yet")).rules == ()


RULE = '[[rule]]\nname = "n"\nwhen = "{}"\ndecision = "{}"\n'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("rule = ", "Invalid value"),
        (b"\xff", "utf-8"),
        ("[rule]", "Expected `array`, got `object` - at `$.rule`"),
        ("[[rule]]\nname = 'n'", "missing required field `when`"),
        ("[[rules]]\nname = 'n'", "unknown field `rules`"),
        (RULE.format("amount > 1", "reject"), "Invalid enum value 'reject'"),
        (RULE.format("amount > 1", "accept"), "rule 'n': decision: a rule makes it stricter only"),
        (RULE.format("amuont > 1", "review"), "rule 'n': when: column 1: there is no amuont; is amount meant?"),
        (RULE.format("amount > 1", "review") * 2, "two rules are called 'n'"),
    ],
)
def test_rules_that_cannot_be_used_are_refused_in_one_line(text: str | bytes, why: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)

    with pytest.raises(RulesError) as raised:
        read_rules(path)

    assert str(raised.value).startswith(f"{path}: ")
    assert why in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


def test_the_rules_in_the_package_can_be_used() -> None:
    import streamapp.pipelines.risk as package

    assert read_rules(Path(package.__file__).parent / "rules.toml").rules
