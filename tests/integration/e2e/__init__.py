"""End to end: Parlour's real processes between fake messengers and real services."""
