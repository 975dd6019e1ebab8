"""Parlour: a self-hosted chat assistant that loses nothing, doubles nothing and forgets when told."""

__version__ = "0.1.0"
