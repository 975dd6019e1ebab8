"""A second look at what might be learned: sentences that say sensitive things without the words that rules know."""

import threading
from collections.abc import Callable
from typing import Any, Final

from parlour.people.sensitive_examples import HARMLESS, SENSITIVE

# How much more a text must be like the sensitive examples than like the harmless ones. Of the examples, a fifth left
# out at a time (three ways of parting them), it holds back 75 of 100 sensitive and 8 of 110 harmless ones; at 0.15 it
# is 69 and 4, at 0.2 60 and 3. In doubt nothing is learned.
LEAST: Final = 0.1
_SENSITIVE, _HARMLESS = "sensitive", "harmless"

# Gives the embedder, None where none is installed. Its library is optional and large.
MakeEmbedder = Callable[[], Any]


class SecondLook:
    """Compares with examples by meaning. One for each process; safe to use from many threads.

    Learns from the examples at the first use (a second or two). Where nothing is there to embed with it sees nothing:
    the rules (`people.sensitive`) are then alone.
    """

    def __init__(self, make: MakeEmbedder) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._is_made = False
        self._likeness: Any = None

    def is_like_sensitive(self, text: str) -> bool:
        """Whether this is said as sensitive things are."""
        likeness = self._learned()
        if likeness is None:
            return False
        [scores] = likeness.scores([text])
        return bool(scores[_SENSITIVE] - scores[_HARMLESS] >= LEAST)

    def _learned(self) -> Any:  # noqa: ANN401 (numpy is optional)
        with self._lock:
            if not self._is_made:
                embedder = self._make()
                if embedder is not None:
                    from parlour.skills.likeness import ExampleLikeness  # noqa: PLC0415 (as above)

                    self._likeness = ExampleLikeness(embedder, {_SENSITIVE: SENSITIVE, _HARMLESS: HARMLESS})
                self._is_made = True
            return self._likeness
