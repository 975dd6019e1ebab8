"""The form that is made from a skill's settings, and what comes back from it."""

from dataclasses import dataclass
from typing import Annotated, Literal

import pytest

from parlour.sdk.schema import Between, Chinese, Host, Secret, object_schema
from parlour.skills.setting_form import Fault, Widget, fields_of, read


@dataclass
class Settings:
    city: str
    key: Secret
    litres: Annotated[int, "Water a week"] = 3
    share: float = 0.5
    is_loud: bool = False
    tone: Literal["warm", "dry"] = "warm"
    names: tuple[str, ...] = ()
    server: Host | None = None
    weights: dict[str, float] | None = None


SCHEMA = object_schema(Settings)
NOW = {"city": "Ulm", "litres": 3, "share": 0.5, "is_loud": False, "tone": "warm", "names": []}


def test_a_setting_is_described_in_chinese_where_its_author_wrote_it() -> None:
    @dataclass
    class Described:
        litres: Annotated[int, "Water a week", Chinese("每周浇水量"), Between(1, 9)] = 3
        days: Annotated[int, "Days between"] = 2

    litres, days = fields_of(object_schema(Described), {})

    assert (litres.about, litres.about_zh) == ("Water a week (1 … 9)", "每周浇水量 (1 … 9)")
    assert days.about_zh == days.about == "Days between"


def test_every_type_of_setting_has_its_field() -> None:
    fields = {field.name: field for field in fields_of(SCHEMA, NOW)}

    assert {name: field.widget for name, field in fields.items()} == {
        "city": Widget.TEXT,
        "key": Widget.SECRET,
        "litres": Widget.INTEGER,
        "share": Widget.NUMBER,
        "is_loud": Widget.SWITCH,
        "tone": Widget.CHOICE,
        "names": Widget.LINES,
        "server": Widget.HOST,
        "weights": Widget.JSON,
    }
    assert fields["litres"].about == "Water a week"
    assert fields["city"].is_required
    assert fields["tone"].choices == ("warm", "dry")


def test_a_secret_is_never_in_the_form_and_only_told_to_be_there() -> None:
    fields = fields_of(SCHEMA, {**NOW, "key": "hunter2"}, secrets_set=["key"])

    assert "hunter2" not in repr(fields)
    assert next(field for field in fields if field.name == "key").is_set


def test_what_the_form_shows_comes_back_as_no_change() -> None:
    shown = {field.name: field.text for field in fields_of(SCHEMA, NOW, secrets_set=["key"])}

    typed = read(SCHEMA, shown, NOW, secrets_set=["key"])

    assert (typed.changes, typed.faults) == ({}, {})


def test_what_is_typed_comes_back_as_its_type() -> None:
    typed = read(
        SCHEMA,
        {"city": "Bern", "key": " spaced ", "litres": "4", "share": "0.25", "is_loud": "true", "tone": "dry",
         "names": "ann\n\nbob\n", "server": "api.example.org", "weights": '{"a": 1.5}'},
        NOW,
    )  # fmt: skip

    assert typed.faults == {}
    assert typed.changes == {
        "city": "Bern", "key": " spaced ", "litres": 4, "share": 0.25, "is_loud": True, "tone": "dry",
        "names": ["ann", "bob"], "server": "api.example.org", "weights": {"a": 1.5},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("city", "  ", Fault.REQUIRED),
        ("key", "", Fault.REQUIRED),
        ("litres", "three", Fault.INTEGER),
        ("litres", "9" * 24, Fault.RANGE),
        ("share", "nan", Fault.NUMBER),
        ("is_loud", "yes", Fault.CHOICE),
        ("tone", "cold", Fault.CHOICE),
        ("server", "https://api.example.org/x", Fault.HOST),
        ("weights", "{", Fault.JSON),
        ("weights", '{"a": "b"}', Fault.TYPE),
    ],
)
def test_what_does_not_fit_is_told_beside_its_field_and_changes_nothing(name: str, text: str, fault: Fault) -> None:
    typed = read(SCHEMA, {name: text}, NOW)

    assert typed.faults == {name: fault}
    assert typed.changes == {}


def test_bounds_stand_beside_the_field() -> None:
    schema = {"properties": {"most": {"type": "integer", "description": "So many", "minimum": 1, "maximum": 50}}}

    (field,) = fields_of(schema, {})

    assert field.about == "So many (1 … 50)"
    assert read(schema, {"most": "51"}, {}).faults == {"most": Fault.RANGE}


def test_a_default_or_an_emptied_field_takes_the_setting_back() -> None:
    typed = read(SCHEMA, {"litres": "3", "share": ""}, {**NOW, "litres": 9, "share": 0.9})

    assert typed.changes == {"litres": None, "share": None}


def test_a_secret_stays_when_nothing_is_typed_and_goes_when_it_is_cleared() -> None:
    optional = {**SCHEMA, "required": ["city"]}

    assert read(optional, {"key": ""}, NOW, secrets_set=["key"]).changes == {}
    assert read(optional, {"key": "", "key.clear": "on"}, NOW, secrets_set=["key"]).changes == {"key": None}
