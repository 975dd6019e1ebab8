"""JSON schemas of types, and checking values against them."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest

from parlour.sdk.schema import Between, Host, Secret, hosts_set, names_hosts, object_schema, problems, schema_of


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (str, ["", "x"], [1, None]),
        (int, [0, -3], ["1", 1.5, True]),
        (float, [1, 1.5], ["1", False]),
        (bool, [True], [1, "true"]),
        (Secret, ["x"], [1]),
        (Host, ["api.example.org", "*.example.org"], ["https://api.example.org", "localhost", "10.0.0.1", "*.org", 1]),
        (Literal["a", "b"], ["a"], ["c", None]),
        (list[int], [[], [1]], [["x"], "x", 1]),
        (tuple[str, ...], [["x"]], [[1]]),
        (dict[str, int], [{}, {"a": 1}], [{"a": "x"}, []]),
        (int | None, [None, 1], ["x"]),
        (Annotated[int, "So many"], [1], ["x"]),
        (int, [2**63 - 1, -(2**63) + 1], [2**63, -(10**24)]),
        (float, [1e300], [float("inf"), float("nan")]),
        (Annotated[int, "So many", Between(1, 10)], [1, 10], [0, 11, "5"]),
        (Annotated[float, Between(least=0)], [0, 1e9], [-0.1]),
        (Annotated[float, Between(most=1)], [-5, 1], [1.5]),
    ],
)
def test_a_value_fits_or_the_problem_is_named(kind: Any, good: list[Any], bad: list[Any]) -> None:
    schema = schema_of(kind)

    assert [value for value in good if any(problems(schema, value))] == []
    assert [value for value in bad if not any(problems(schema, value))] == []


def test_the_problem_names_the_place_and_not_the_value() -> None:
    schema = {"type": "object", "properties": {"sizes": schema_of(list[int])}, "required": ["name"]}

    found = list(problems(schema, {"sizes": [1, "hunter2"]}, at="settings"))

    assert found == ["settings.sizes[1] must be of type integer", "settings.name is missing"]


def test_bounds_of_what_is_no_number_are_the_authors_mistake() -> None:
    with pytest.raises(TypeError, match="Between is for int and float"):
        schema_of(Annotated[str, Between(1, 2)])


def test_a_bound_is_named_and_the_value_is_not() -> None:
    assert list(problems(schema_of(Annotated[int, Between(1, 10)]), 4711, at="most")) == ["most must be at most 10"]


def test_unknown_names_are_told_with_the_known_ones() -> None:
    schema = {"type": "object", "properties": {"size": {"type": "integer"}}, "additionalProperties": False}

    assert list(problems(schema, {"sise": 1})) == ["sise is unknown; there are: size"]


def test_a_host_is_granted_by_setting_it_and_never_by_its_default() -> None:
    @dataclass
    class Settings:
        one: Host = field(default_factory=lambda: Host("api.evil.example"))
        many: list[Host] = field(default_factory=lambda: [Host("also.evil.example")])
        text: str = ""

    schema = object_schema(Settings)

    assert names_hosts(schema) == ["one", "many"]
    assert hosts_set(schema, {"one": "api.evil.example", "many": ["also.evil.example"], "text": "c.example.org"}) == ()
    assert hosts_set(schema, {"one": "a.example.org", "many": ["b.example.org", "localhost"]}) == (
        "a.example.org",
        "b.example.org",
    )
