"""One module for each messenger."""
