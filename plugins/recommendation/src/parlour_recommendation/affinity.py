"""From counts of people to how much one item speaks for another."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from parlour_recommendation.behaviour import Behaviour, Ints

Floats = NDArray[np.float32]

# EASE (Steck 2019, https://arxiv.org/abs/1905.03375) inverts a dense square: for so many most liked items.
_MOST_DENSE: Final = 2_000
_RIDGE: Final = 300.0
_STEP_PRIOR: Final = 20.0
# Of each item's neighbours so many are kept; further ones add noise, and time.
_MOST_NEIGHBOURS: Final = 200


@dataclass(frozen=True, slots=True)
class Affinity:
    """For each item of a catalogue, a row of neighbours and how much it speaks for each; and how liked items are.

    `regressed` is EASE's weight, `alike` the cosine of who liked both, `following` the share of those who went on to
    the other. `liked` has a row for each window of time: the logarithm of how many.
    """

    regressed: sparse.csr_array
    alike: sparse.csr_array
    following: sparse.csr_array
    liked: Floats


def affinity(found: Behaviour, places: Ints, size: int) -> Affinity:
    """What behaviour says of a catalogue of `size` items; `places` has each item's place in it, -1 for none."""
    ever = found.liked[-1].astype(np.float64)
    first, second, people = found.together.T
    both = sparse.coo_array((people.astype(np.float64), (first, second)), shape=(len(ever), len(ever))).tocsr()
    both = (both + both.T).tocsr()
    lengths = np.sqrt(np.maximum(ever, 1.0))
    scale = sparse.dia_array((1.0 / lengths[None, :], [0]), shape=both.shape)
    start, end, steps = found.steps.T
    shares = steps / (ever[start] * 5.0 + _STEP_PRIOR)
    after = sparse.coo_array((shares, (start, end)), shape=both.shape).tocsr()
    liked = np.zeros((len(found.liked), size), np.float32)
    is_there = places >= 0
    liked[:, places[is_there]] = np.log1p(found.liked[:, is_there])
    return Affinity(
        regressed=_moved(_regressed(both, ever), places, size),
        alike=_moved((scale @ both @ scale).tocsr(), places, size),
        following=_moved(after, places, size),
        liked=liked,
    )


def _regressed(both: sparse.csr_array, ever: NDArray[np.float64]) -> sparse.csr_array:
    """EASE's weights among the most liked items."""
    dense = np.sort(np.argsort(-ever, kind="stable")[:_MOST_DENSE])
    if not len(dense):
        return both
    square = both[dense][:, dense].toarray()
    square[np.diag_indices(len(dense))] = ever[dense] + _RIDGE
    inverse = linalg.inv(square, overwrite_a=True, check_finite=False)
    weights = inverse / -np.diag(inverse)
    weights[np.diag_indices(len(dense))] = 0.0
    rows, columns = np.nonzero(weights)
    return sparse.coo_array((weights[rows, columns], (dense[rows], dense[columns])), shape=both.shape).tocsr()


def _moved(table: sparse.csr_array, places: Ints, size: int) -> sparse.csr_array:
    """The table over the catalogue's places, the strongest neighbours of each row alone."""
    rows = np.repeat(np.arange(table.shape[0]), np.diff(table.indptr))
    columns, values = table.indices, table.data
    order = np.lexsort((-np.abs(values), rows))
    rank = np.arange(len(order)) - table.indptr[rows[order]]
    kept = order[(rank < _MOST_NEIGHBOURS) & (places[rows[order]] >= 0) & (places[columns[order]] >= 0)]
    made = sparse.coo_array(
        (values[kept].astype(np.float32), (places[rows[kept]], places[columns[kept]])), shape=(size, size)
    )
    return made.tocsr()
