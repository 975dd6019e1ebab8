"""A key provider that can be away."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from parlour.privacy.errors import KeysUnavailable
from parlour.privacy.keys import KeyProvider, Note, note_nothing


@dataclass
class FakeOutage:
    """The provider behind it, until it is away: then it answers nothing, as a sealed vault does."""

    provider: KeyProvider
    is_away: bool = False

    @contextmanager
    def away(self) -> Iterator[None]:
        """Away for the length of the block."""
        self.is_away = True
        yield
        self.is_away = False

    @property
    def current_kek(self) -> str:
        return self._there().current_kek

    def wrap(self, key: bytes, *, bound_to: bytes) -> tuple[str, bytes]:
        return self._there().wrap(key, bound_to=bound_to)

    def unwrap(self, kek_id: str, wrapped: bytes, *, bound_to: bytes) -> bytes:
        return self._there().unwrap(kek_id, wrapped, bound_to=bound_to)

    def lookup_key(self) -> bytes | None:
        return self._there().lookup_key()

    def rotate(self) -> str:
        return self._there().rotate()

    def retire(self, in_use: Collection[str], *, note: Note = note_nothing) -> Sequence[str]:
        return self._there().retire(in_use, note=note)

    def _there(self) -> KeyProvider:
        if self.is_away:
            raise KeysUnavailable("The test's provider is away. Turns wait until it is back.")
        return self.provider
