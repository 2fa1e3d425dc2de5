"""The catalogue of findings as data: for each code its severity, who may act on it, and what a person should do."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from invbi_pipeline.domain.words import Severity

__all__ = ["CATALOGUE", "Acts", "Group", "Kind"]


class Acts(StrEnum):
    """Who may act: invbi within its guards, invbi once a person agreed, or only a person."""

    AUTO = "auto"
    ASK = "ask"
    TELL = "tell"


class Group(StrEnum):
    """What a finding is about."""

    NUMBER = "number shown"
    CAUSE = "why it is wrong"
    SHELF = "shelf"
    IDENTITY = "identity"
    FEED = "feed"
    PUSH = "push"


@dataclass(frozen=True, slots=True)
class Kind:
    """One code of the catalogue. `severity` is the default; `action` is what a shop manager should do, one sentence."""

    code: str
    severity: Severity
    acts: Acts
    group: Group
    action: str
    blurb: str


_LOW, _MEDIUM, _HIGH, _CRITICAL = Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL
_AUTO, _ASK, _TELL = Acts.AUTO, Acts.ASK, Acts.TELL

_ROWS: Final[Mapping[Group, tuple[tuple[str, Severity, Acts, str, str], ...]]] = {
    Group.NUMBER: (
        ("oversell_risk", _HIGH, _AUTO, "Let the number be lowered to what may be sold.", "More is offered than may be sold."),
        ("undersell", _MEDIUM, _AUTO, "Let the number be raised to what may be sold.", "Less is offered than may be sold."),
        (
            "channel_stockout", _HIGH, _AUTO, "Put the item back on sale on this channel.",
            "One channel shows none while others sell it.",
        ),
        (
            "oversold", _CRITICAL, _ASK, "Decide which order ships, which one waits and which one is cancelled.",
            "More units are promised than there are.",
        ),
    ),
    Group.CAUSE: (
        (
            "drift", _HIGH, _AUTO, "Find out who changed this number, and let it be corrected.",
            "The number changed and nothing we know explains it.",
        ),
        (
            "frozen_listing", _HIGH, _ASK, "Open the listing on the channel and save it again, or ask the channel's support.",
            "The channel no longer applies changes to this listing.",
        ),
        (
            "second_writer", _HIGH, _ASK, "Switch off the other program that writes this number.",
            "Somebody else keeps setting this number.",
        ),
        (
            "missed_event", _MEDIUM, _AUTO, "Check that the channel still sends its webhooks to the right address.",
            "A change happened and the channel never told us.",
        ),
        (
            "duplicate_event", _MEDIUM, _AUTO, "Check the named order on the channel, and let the number be corrected.",
            "One event was applied twice.",
        ),
        (
            "ledger_untied", _MEDIUM, _TELL, "Book the missing movement where the stock is counted, or count the shelf.",
            "A counted number moved without a movement.",
        ),
    ),
    Group.SHELF: (
        ("phantom_stock", _MEDIUM, _ASK, "Count this shelf.", "The record says some, the shelf probably has none."),
        (
            "negative_on_hand", _HIGH, _ASK, "Count this shelf and book the receipt that is missing.",
            "More left than was ever booked in.",
        ),
        (
            "stale_reservation", _MEDIUM, _ASK, "Ship this order or cancel it, so that its units can be sold.",
            "An order that will never ship still holds units.",
        ),
        (
            "return_not_restocked", _MEDIUM, _ASK, "Book the returned goods back into stock.",
            "Goods are back on the shelf and not in the record.",
        ),
        (
            "restock_without_return", _MEDIUM, _ASK, "Look whether the returned goods ever arrived, and count the shelf.",
            "The record was raised and no goods came back.",
        ),
        (
            "transfer_not_received", _MEDIUM, _ASK, "Find the transfer and book it where it arrived.",
            "Units left one place and never reached the other.",
        ),
        (
            "unsellable_counted", _MEDIUM, _ASK, "Move the damaged or held units out of the sellable stock.",
            "Damaged units are counted as sellable.",
        ),
        (
            "ghost_location", _HIGH, _AUTO, "Take the excluded location out of this channel's shipping settings.",
            "A channel offers units from a place it may not ship from.",
        ),
    ),
    Group.IDENTITY: (
        ("unmapped_listing", _HIGH, _ASK, "Say which SKU this listing sells.", "A listing belongs to no SKU."),
        (
            "unlisted_sku", _LOW, _TELL, "List this SKU on the channel, or take it out of the channel's policy.",
            "Sellable stock is not listed.",
        ),
        (
            "duplicate_sku", _HIGH, _ASK, "Give each of these listings its own code, or delete the one too many.",
            "One code means two things on one system.",
        ),
        ("ambiguous_mapping", _HIGH, _ASK, "Choose the SKU that this listing sells.", "A listing matches several SKUs."),
        ("near_miss_sku", _MEDIUM, _ASK, "Confirm the suggested SKU, or name another.", "A code is written otherwise."),
        (
            "barcode_conflict", _MEDIUM, _ASK, "Read the barcode off the item and correct the system that has the other one.",
            "Systems disagree about a barcode.",
        ),
        ("invalid_barcode", _LOW, _TELL, "Type the barcode again from the label.", "The barcode cannot exist."),
        ("variant_missing", _MEDIUM, _ASK, "Add this variant to the catalogue, or say which one it is.", "A variant is unknown."),
        ("relisted", _LOW, _AUTO, "Nothing: the new listing takes over from the old one.", "A listing was made anew."),
        ("kit_unresolved", _HIGH, _ASK, "Name the components of this kit.", "A kit's components are not all known."),
        ("kit_cycle", _HIGH, _TELL, "Take the kit out of its own list of components.", "A kit contains itself."),
        ("pack_mismatch", _HIGH, _ASK, "Say how many single units this listing sells.", "Packs are counted as singles."),
    ),
    Group.FEED: (
        (
            "system_unreachable", _HIGH, _TELL, "Check the system's access key and whether it is up.",
            "A system does not answer.",
        ),
        ("feed_stale", _HIGH, _TELL, "Check why this system sends old data.", "A system answers with old data."),
        (
            "feed_truncated", _CRITICAL, _TELL, "Check why this system sends only part of its data; nothing is corrected there.",
            "A system sent part of its data.",
        ),
        (
            "feed_mass_zero", _CRITICAL, _TELL, "Check whether these items are really gone; nothing is corrected there.",
            "Far too many numbers became 0 at once.",
        ),
        ("bad_rows", _MEDIUM, _TELL, "Correct these rows where they come from.", "Rows were refused."),
        ("clock_skew", _LOW, _TELL, "Set the clock of this system.", "A system's clock is off."),
    ),
    Group.PUSH: (
        (
            "push_held", _MEDIUM, _ASK, "Approve this correction, or accept the number as it is (`invbi accept`).",
            "A guard stopped a correction.",
        ),
        ("push_failed", _HIGH, _ASK, "Read the channel's answer and mend what it names.", "The channel refused a correction."),
        (
            "push_unverified", _MEDIUM, _AUTO, "Wait for the next look; if it stays so, open the listing on the channel.",
            "A correction was accepted and cannot be seen.",
        ),
        (
            "push_mismatched", _HIGH, _ASK, "Find out who else changes this number.",
            "After a correction the number is another one.",
        ),
        ("listing_inactive", _LOW, _TELL, "Put the listing on sale again, or set its stock to 0.", "A listing is off sale."),
    ),
}  # fmt: skip

CATALOGUE: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        code: Kind(code, severity, acts, group, action, blurb)
        for group, rows in _ROWS.items()
        for code, severity, acts, action, blurb in rows
    }
)
