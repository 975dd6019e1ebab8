"""banking77 (PolyAI; questions to a bank, each with one of 77 intents), its intents grouped into trades."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FILE: Final = "banking77/train.csv"

# Ten trades, as a bank would split its desks; each takes the intents whose names begin or go with its subject.
TRADES: Final[Mapping[str, tuple[str, ...]]] = {
    "ordering-cards": (
        "card_arrival", "card_delivery_estimate", "get_physical_card", "order_physical_card", "getting_spare_card",
        "card_about_to_expire", "activate_my_card", "card_linking",
    ),
    "virtual-cards": ("getting_virtual_card", "get_disposable_virtual_card", "disposable_card_limits"),
    "identity": (
        "verify_my_identity", "unable_to_verify_identity", "why_verify_identity", "verify_source_of_funds",
    ),
    "top-ups": (
        "topping_up_by_card", "top_up_limits", "top_up_failed", "top_up_reverted", "pending_top_up", "verify_top_up",
        "automatic_top_up", "top_up_by_card_charge", "top_up_by_cash_or_cheque", "top_up_by_bank_transfer_charge",
    ),
    "transfers": (
        "transfer_timing", "transfer_not_received_by_recipient", "transfer_fee_charged", "pending_transfer",
        "failed_transfer", "declined_transfer", "cancel_transfer", "beneficiary_not_allowed",
    ),
    "cash": (
        "atm_support", "cash_withdrawal_charge", "cash_withdrawal_not_recognised", "declined_cash_withdrawal",
        "pending_cash_withdrawal", "wrong_amount_of_cash_received", "card_swallowed",
    ),
    "exchange": ("exchange_rate", "exchange_charge", "exchange_via_app", "fiat_currency_support"),
    "pins-and-passcodes": ("change_pin", "pin_blocked", "passcode_forgotten"),
    "refunds": ("request_refund", "Refund_not_showing_up"),
    "lost-and-stolen": ("lost_or_stolen_card", "lost_or_stolen_phone", "compromised_card"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Question:
    """What someone asked, and its intent."""

    text: str
    intent: str


def questions(path: Path) -> list[Question]:
    """All questions of the file, in its order. Three that a line break tore apart in the file are left out."""
    with path.open(encoding="utf-8", newline="") as lines:
        return [Question(row["text"], row["category"]) for row in csv.DictReader(lines) if row["category"]]
