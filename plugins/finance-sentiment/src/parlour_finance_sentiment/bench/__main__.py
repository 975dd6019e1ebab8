"""Measures sentiment and surges, and prints the tables as JSON."""

import argparse
import json
import os
import sys
from pathlib import Path

# One core each, as the figures say: set before numpy is loaded.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"


def main() -> int:
    """Print `{"title": [{"column": value}]}` as the last line."""
    from parlour_finance_sentiment.bench import sentiment, surges  # noqa: PLC0415 (after the threads are set)

    parser = argparse.ArgumentParser(prog="parlour_finance_sentiment.bench", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of data sets")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="accepted: the tables are always printed so")
    told = parser.parse_args()
    missing = [name for name in sentiment.FILES if told.data is None or not (told.data / name).is_file()]
    if missing:
        print(f"{', '.join(missing)} are needed. Name the folder that holds them: --data DIR", file=sys.stderr)  # noqa: T201
        return 1
    tables = {**sentiment.measure(told.data, told.seed), **surges.measure(told.seed)}
    print(json.dumps(tables, ensure_ascii=False))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
