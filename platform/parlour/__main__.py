"""`python -m parlour` is the `parlour` command."""

from parlour.cli.main import run

if __name__ == "__main__":
    run()
