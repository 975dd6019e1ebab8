"""Counting what many people have in common, so that nobody is seen in it: the rules behind `Crowd`.

A value that fewer than `LEAST_PEOPLE` people have does not appear at all, alone or in a pair.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

LEAST_PEOPLE: Final = 5
# Of each person, the latest so many values count: one who did everything does not make the work of a thousand.
MOST_OF_A_PERSON: Final = 200


def counts(people: Iterable[Sequence[str]], *, least: int = LEAST_PEOPLE) -> dict[str, int]:
    """How many people have each value, the commonest first; `people` holds one sequence of values for each."""
    found = Counter(value for values in people for value in dict.fromkeys(values))
    return {value: number for value, number in found.most_common() if number >= least}


def pairs(
    people: Iterable[Sequence[str]], *, within: int | None = None, least: int = LEAST_PEOPLE
) -> Iterator[tuple[str, str, int]]:
    """Two values and how many people have both.

    With `within`, the order counts: the second came at most so many values after the first. Without it, each pair
    comes once.
    """
    kept = [list(dict.fromkeys(values))[-MOST_OF_A_PERSON:] for values in people]
    numbers = {value: number for number, value in enumerate(counts(kept, least=least))}
    names = list(numbers)
    lines = [array("L", (numbers[value] for value in values if value in numbers)) for values in kept]
    holders: list[list[int]] = [[] for _ in names]
    for person, line in enumerate(lines):
        for number in line:
            holders[number].append(person)
    # One first value at a time: what is held at once grows with the values, not with their pairs.
    for first, name in enumerate(names):
        found: Counter[int] = Counter()
        for person in holders[first]:
            found.update(_beside(lines[person], first, within))
        yield from ((name, names[second], number) for second, number in found.items() if number >= least)


def _beside(line: "array[int]", first: int, within: int | None) -> Iterable[int]:
    if within is None:
        return (number for number in line if number > first)
    place = line.index(first)
    return line[place + 1 : place + 1 + within]
