"""SQL: the tables, the sessions, the clock that all processes share."""
