"""Knowledge: documents in, passages out. Reading, splitting, indexing, hybrid search, quoting."""
