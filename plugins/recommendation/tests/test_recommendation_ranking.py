"""Ranking: scores are sums of parts, reasons are the largest part, and the blend learns what foretells."""

import numpy as np
import pytest

from parlour_recommendation.affinity import affinity
from parlour_recommendation.behaviour import Liking, added_up, from_likings
from parlour_recommendation.blend import PERSONAL, SIGNS, Blend, Case, learned
from parlour_recommendation.catalogue import Catalogue
from parlour_recommendation.evaluation.measures import coverage, interval, ndcg, novelty, recall
from parlour_recommendation.items import Item
from parlour_recommendation.learning import learned_from
from parlour_recommendation.ranker import Ranker, Taste, ranker

TODAY = 20_500


def _catalogue(size: int = 60) -> Catalogue:
    return Catalogue.of(
        Item(f"i{number}", f"Title {number} {number % 3}", (f"kind {number % 5}",), added=TODAY - number)
        for number in range(size)
    )


def _likings(seed: int = 1, people: int = 80) -> list[Liking]:
    """People of two tastes, odd and even items, one after the other."""
    chance = np.random.default_rng(seed)
    made = []
    for person in range(people):
        liked = chance.permutation(np.arange(person % 2, 60, 2))[:12]
        made += [Liking(f"p{person}", f"i{item}", float(person + 100 * at)) for at, item in enumerate(liked)]
    return made


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return _catalogue()


@pytest.fixture(scope="module")
def ranks(catalogue: Catalogue) -> Ranker:
    return ranker(catalogue, from_likings(_likings(), now=1_200.0))


def _taste(catalogue: Catalogue, *names: str) -> Taste:
    places = catalogue.places(names)
    return Taste(places, places)


def test_a_score_is_the_sum_of_what_each_liking_adds_and_of_the_item_itself(
    catalogue: Catalogue, ranks: Ranker
) -> None:
    known = ranks.know(_taste(catalogue, "i1", "i3", "i5", "i8"))
    places = np.arange(20, 40, dtype=np.int32)
    blend = Blend()
    weights = blend.for_person(known.count)

    signs = ranks.signs(known, places, TODAY)
    whole = known.parts(places, weights).sum(axis=0) + signs[:, len(PERSONAL) :] @ weights[len(PERSONAL) :]

    np.testing.assert_allclose(whole, blend.scores(signs, known.count), rtol=1e-4)


def test_the_reason_is_the_liking_that_added_most(catalogue: Catalogue, ranks: Ranker) -> None:
    taste = _taste(catalogue, "i1", "i3", "i5", "i8", "i11")

    found = ranks.suggest(taste, Blend(), today=TODAY, most=10)

    because = [one for one in found if one.reason == "because"]
    assert because
    known = ranks.know(taste)
    parts = known.parts(np.array([one.place for one in because]), Blend().for_person(known.count))
    assert [one.source for one in because] == [int(taste.liked[row]) for row in parts.argmax(axis=0)]


def test_people_of_one_taste_are_recommended_what_their_like_like(catalogue: Catalogue, ranks: Ranker) -> None:
    behaviour_alone = Blend(tuple(float(name in {"regressed", "alike"}) for name in SIGNS) * 2)

    found = ranks.suggest(_taste(catalogue, "i1", "i3", "i7"), behaviour_alone, today=TODAY, most=8)

    assert {one.place % 2 for one in found} == {1}


def test_nothing_hidden_is_suggested_and_nothing_twice(catalogue: Catalogue, ranks: Ranker) -> None:
    hidden = catalogue.places([f"i{number}" for number in range(0, 60, 3)])

    found = ranks.suggest(Taste(hidden[:4], hidden), Blend(), today=TODAY, most=60, variety=1.0)

    places = [one.place for one in found]
    assert len(places) == len({*places}) == 40
    assert not {*places} & {*hidden.tolist()}


def test_variety_brings_other_kinds(catalogue: Catalogue, ranks: Ranker) -> None:
    taste = _taste(catalogue, "i0", "i10", "i20")

    def kinds(variety: float) -> int:
        found = ranks.suggest(taste, Blend(), today=TODAY, most=4, variety=variety)
        return len({catalogue.item(one.place).tags for one in found})

    assert kinds(0.0) < kinds(3.0)


def test_an_empty_world_has_nothing_to_suggest() -> None:
    nobody = np.empty(0, np.int32)
    empty = ranker(Catalogue.of([]), from_likings([], now=0.0))

    assert empty.suggest(Taste(nobody, nobody), Blend(), today=TODAY, most=4) == []


def test_a_catalogue_without_behaviour_and_behaviour_without_its_items() -> None:
    catalogue = _catalogue(5)
    ranks = ranker(catalogue, from_likings(_likings(), now=1_200.0))

    found = ranks.suggest(_taste(catalogue, "i1"), Blend(), today=TODAY, most=10)

    assert {one.place for one in found} == {0, 2, 3, 4}


def test_the_blend_learns_the_sign_that_foretells() -> None:
    chance = np.random.default_rng(0)
    cases = []
    for _ in range(200):
        signs = chance.normal(size=(20, len(SIGNS))).astype(np.float32)
        was_liked = np.zeros(20, np.bool_)
        was_liked[np.argmax(signs[:, 3] - signs[:, 0])] = True
        cases.append(Case(signs, was_liked, liked=20))

    weights = learned(cases).for_person(20)

    assert int(np.argmax(weights)) == 3
    assert weights[0] == min(weights)
    assert (weights >= 0).all()


def test_a_choice_moves_the_blend_towards_it_and_a_refusal_away() -> None:
    signs = np.zeros((3, len(SIGNS)), np.float32)
    signs[1, 2] = 1.0

    before = Blend()
    good, bad = (before.after(signs, 10, 1, is_good=is_good) for is_good in (True, False))

    assert good.for_person(10)[2] > before.for_person(10)[2] > bad.for_person(10)[2]


@pytest.mark.slow
def test_a_log_teaches_the_same_each_time_and_a_short_one_nothing(catalogue: Catalogue) -> None:
    likings = _likings()

    taught = learned_from(likings, [], catalogue)

    assert taught != Blend()
    assert taught == learned_from(likings, [], catalogue)
    assert learned_from(likings[:100], [], catalogue) == Blend()


def test_counts_of_two_crowds_add_up() -> None:
    one, other = from_likings(_likings(1), now=1_200.0), from_likings(_likings(2), now=1_200.0)

    both = added_up(one, other)

    for name in both.items:
        parts = [part.liked[:, part.items.index(name)] for part in (one, other) if name in part.items]
        np.testing.assert_array_equal(both.liked[:, both.items.index(name)], sum(parts))
    assert both.together[:, 2].sum() == one.together[:, 2].sum() + other.together[:, 2].sum()


def test_ease_is_its_closed_form() -> None:
    likings = _likings()
    found = from_likings(likings, now=1_200.0, least=1)
    places = np.arange(len(found.items), dtype=np.int32)
    people = {name: row for row, name in enumerate(dict.fromkeys(one.person for one in likings))}
    log = np.zeros((len(people), len(found.items)))
    for one in likings:
        log[people[one.person], found.items.index(one.item)] = 1.0
    inverse = np.linalg.inv(log.T @ log + 300.0 * np.eye(len(found.items)))
    expected = inverse / -np.diag(inverse)
    np.fill_diagonal(expected, 0.0)

    table = affinity(found, places, len(found.items))

    np.testing.assert_allclose(table.regressed.toarray(), expected, atol=1e-6)


def test_measures_are_what_their_names_say() -> None:
    assert ndcg(["a", "x"], {"a"}) == pytest.approx(1.0)
    assert ndcg(["x", "a"], {"a"}) == pytest.approx(1 / np.log2(3))
    assert recall(["a", "x"], {"a", "b"}) == pytest.approx(0.5)
    assert coverage([["a"], ["a", "b"]], 4) == pytest.approx(0.5)
    assert novelty([["a"]], {"a": 1}, 7) == pytest.approx(2.0)
    assert interval(np.array([0.5, 0.5]), seed=0) == "0.500 to 0.500"
