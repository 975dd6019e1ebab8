"""`python -m parlour_customer_service.evaluation --data DIR`: prints the tables, as JSON in the last line."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from parlour_customer_service.evaluation.datasets import banking, crosswoz, headlines
from parlour_customer_service.evaluation.methods import Encoder
from parlour_customer_service.evaluation.tables import chinese, intents, retrieval, unknown

Table = Iterator[Mapping[str, Any]]

TABLES: Final[Mapping[str, tuple[str, Callable[[Path, Encoder, int], Table]]]] = {
    "intents": (
        "Customer service: intents of banking77, five folds",
        lambda data, encoder, seed: intents(banking(data), encoder, seed),
    ),
    "retrieval": (
        "Customer service: held-out questions of banking77 find their answer",
        lambda data, encoder, seed: retrieval(banking(data), encoder, seed, each=5),
    ),
    "chinese": (
        "Customer service: what people ask for in CrossWOZ, other dialogues than learned from",
        lambda data, encoder, seed: chinese(crosswoz(data), encoder, seed),
    ),
    "unknown": (
        "Customer service: knowing what it does not know, half of the questions without an answer",
        lambda data, encoder, seed: unknown(banking(data), headlines(data), encoder, seed, each=20),
    ),
}


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description="Measures the customer-service skill.")
    parser.add_argument("--data", type=Path, required=True, help="The folder that holds banking77, crosswoz and so on.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=sorted(TABLES), action="append", help="These tables alone.")
    parser.add_argument("--json", action="store_true", help="No progress, only JSON.")
    given = parser.parse_args()
    encoder = Encoder()
    told: dict[str, list[Mapping[str, Any]]] = {}
    for name in given.only or TABLES:
        title, make = TABLES[name]
        told[title] = []
        for row in make(given.data, encoder, given.seed):
            told[title].append(row)
            if not given.json:
                print(title, row, file=sys.stderr)
    print(json.dumps(told, ensure_ascii=False))


main()
