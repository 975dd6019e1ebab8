"""What people who run Parlour may do in pages and API: the same rights, by the same table, as everywhere."""

from parlour.people.rights import CONTENT, RIGHTS, Right, may

__all__ = ["CONTENT", "RIGHTS", "Right", "may"]
