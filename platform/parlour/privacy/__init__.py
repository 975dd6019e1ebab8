"""Sealing what people say under their own keys, and letting go of it."""
