"""The reference methods, each tuned on the last part of what is known and never on what is to be foretold."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Final

import numpy as np
from implicit.als import AlternatingLeastSquares
from implicit.nearest_neighbours import BM25Recommender, CosineRecommender, TFIDFRecommender
from implicit.utils import ParameterWarning
from numpy.typing import NDArray
from scipy import linalg, sparse

from parlour_recommendation.evaluation.measures import TOP, ndcg
from parlour_recommendation.evaluation.movielens import Asked, Rating

# It likes another kind of matrix than its own models make.
warnings.filterwarnings("ignore", category=ParameterWarning)
_DAY_S: Final = 86_400
# Scores for all items, from the places of what someone liked.
Score = Callable[[NDArray[np.int64]], NDArray[np.float64]]
Options = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Method:
    """A reference: its name, what can be tuned, and how it is made of a person-by-item matrix of likings."""

    name: str
    grid: Mapping[str, Sequence[Any]]
    make: Callable[["Log", Options], Score]
    # Whether it has anything to say to someone of whom nothing is known.
    serves_strangers: bool = False

    def options(self) -> Iterator[Options]:
        """All that is tried."""
        for values in product(*self.grid.values()):
            yield dict(zip(self.grid, values, strict=True))


@dataclass
class Log:
    """Ratings as a reference takes them: likings, a row for each person, a column for each film."""

    ratings: Sequence[Rating]
    names: Sequence[str]
    seed: int
    places: Mapping[str, int] = field(init=False)
    matrix: sparse.csr_matrix = field(init=False)
    ages_days: NDArray[np.float64] = field(init=False)
    columns: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.places = {name: place for place, name in enumerate(self.names)}
        liked = [one for one in self.ratings if one.is_liking]
        people = {name: row for row, name in enumerate(dict.fromkeys(one.person for one in liked))}
        self.columns = np.array([self.places[one.item] for one in liked])
        rows = [people[one.person] for one in liked]
        shape = (len(people), len(self.names))
        self.matrix = sparse.csr_matrix((np.ones(len(liked), np.float32), (rows, self.columns)), shape=shape)
        self.ages_days = (self.ratings[-1].at - np.array([one.at for one in liked])) / _DAY_S


def _popularity(log: Log, _: Options) -> Score:
    counts = np.bincount(log.columns, minlength=len(log.names)).astype(np.float64)
    return lambda _: counts


def _recent_popularity(log: Log, options: Options) -> Score:
    shares = np.exp(-log.ages_days / options["days"])
    counts = np.bincount(log.columns, shares, minlength=len(log.names)).astype(np.float64)
    return lambda _: counts


def _ease(log: Log, options: Options) -> Score:
    """Steck 2019, in closed form."""
    square = (log.matrix.T @ log.matrix).toarray().astype(np.float64)
    square[np.diag_indices(len(square))] += options["ridge"]
    inverse = linalg.inv(square)
    weights = inverse / -np.diag(inverse)
    weights[np.diag_indices(len(weights))] = 0.0
    return lambda liked: np.asarray(weights[liked].sum(axis=0))


_KNN: Final = {"cosine": CosineRecommender, "tf-idf": TFIDFRecommender, "bm25": BM25Recommender}


def _knn(log: Log, options: Options) -> Score:
    model = _KNN[options["kind"]](K=options["neighbours"])
    model.fit(log.matrix, show_progress=False)
    return _of_implicit(model, log, again=False)


def _als(log: Log, options: Options) -> Score:
    model = AlternatingLeastSquares(
        factors=options["factors"], regularization=options["regularization"], alpha=options["alpha"],
        iterations=15, random_state=log.seed, num_threads=1,
    )  # fmt: skip
    model.fit(log.matrix, show_progress=False)
    return _of_implicit(model, log, again=True)


def _of_implicit(model: Any, log: Log, *, again: bool) -> Score:  # noqa: ANN401 (a model of implicit's)
    size = len(log.names)

    def score(liked: NDArray[np.int64]) -> NDArray[np.float64]:
        row = sparse.csr_matrix((np.ones(len(liked), np.float32), (np.zeros(len(liked), int), liked)), shape=(1, size))
        more = {"recalculate_user": True} if again else {}
        places, scores = model.recommend(0, row, N=size, filter_already_liked_items=False, **more)
        made = np.full(size, -np.inf)
        made[places[places >= 0]] = scores[places >= 0]
        return made

    return score


METHODS: Final = (
    Method("popularity", {}, _popularity, serves_strangers=True),
    Method("popularity, recent", {"days": (7, 14, 30, 60)}, _recent_popularity, serves_strangers=True),
    Method("item-kNN (implicit)", {"kind": tuple(_KNN), "neighbours": (20, 50, 100, 200, 1_000)}, _knn),
    Method("EASE", {"ridge": (50, 100, 200, 500, 1_000, 2_000, 5_000)}, _ease),
    Method(
        "ALS (implicit)",
        {"factors": (8, 16, 32), "regularization": (1.0, 10.0, 30.0), "alpha": (1.0, 5.0, 20.0)},
        _als,
    ),
)


def tops(score: Score, log: Log, people: Sequence[Asked]) -> list[list[str]]:
    """The ten best for each person, without what the person knows."""
    made = []
    for one in people:
        liked = np.array([log.places[name] for name in one.liked], np.int64)
        scores = score(liked).copy()
        scores[[log.places[name] for name in (*one.liked, *one.seen)]] = -np.inf
        best = np.argsort(-scores, kind="stable")[:TOP]
        made.append([log.names[place] for place in best if scores[place] > -np.inf])
    return made


class Tuning:
    """Finds the options of each method that do best for some people; a model is made once for all of them."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._made: dict[tuple[str, str], Score] = {}

    def best(self, method: Method, people: Sequence[Asked]) -> Options:
        """The options under which these people would have been served best."""

        def worth(options: Options) -> float:
            found = tops(self._score(method, options), self._log, people)
            return float(np.mean([ndcg(top, one.later) for top, one in zip(found, people, strict=True)]))

        return max(method.options(), key=worth)

    def _score(self, method: Method, options: Options) -> Score:
        name = (method.name, repr(options))
        if name not in self._made:
            self._made[name] = method.make(self._log, options)
        return self._made[name]
