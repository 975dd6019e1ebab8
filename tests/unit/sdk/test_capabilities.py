"""Each capability is documented by an example that works."""

import re
from textwrap import dedent
from typing import get_args

import pytest

import parlour.sdk
from parlour.sdk import Skill
from parlour.sdk.capabilities import CAPABILITIES, HARMLESS, MEANINGS, CapabilityName


@pytest.mark.parametrize("name", CAPABILITIES)
def test_the_example_of_a_capability_is_a_skill_that_is_given_it(name: CapabilityName) -> None:
    found = re.search(r"```python\n(.*?)```", CAPABILITIES[name].__doc__ or "", re.DOTALL)
    assert found, "no example"
    known = {word: getattr(parlour.sdk, word) for word in parlour.sdk.__all__} | {"skill": Skill("example", "")}
    code = compile(dedent(found[1]), "example", "exec")

    exec(code, known)

    skill = known["skill"]
    assert isinstance(skill, Skill)
    assert name in skill.handlers[0].capabilities


def test_every_capability_has_a_name_a_meaning_and_a_place_to_import_it_from() -> None:
    assert set(CAPABILITIES) == set(get_args(CapabilityName)) == set(MEANINGS)
    assert set(CAPABILITIES) <= set(parlour.sdk.__all__)
    assert set(CAPABILITIES) > HARMLESS
