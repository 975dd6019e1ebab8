"""Why a benchmark cannot be run."""


class BenchError(Exception):
    """Something that the benchmark needs is not there. The message names it and the remedy."""
