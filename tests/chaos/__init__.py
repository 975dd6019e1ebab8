"""Parlour's own processes under faults, and a judge who sees only what the messenger saw."""
