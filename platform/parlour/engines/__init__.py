"""Engines turn a list of chat messages into a stream of text pieces."""
