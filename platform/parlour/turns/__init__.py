"""The life of a turn: taken in, ordered, answered, delivered."""
