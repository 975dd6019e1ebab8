"""Reading documents: each format's text in blocks that know their place. Runs in a process of its own."""
