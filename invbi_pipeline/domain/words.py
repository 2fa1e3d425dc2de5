"""The closed vocabularies: one word, one meaning, in code, tables, sheets, asset names and the command line."""

from enum import StrEnum
from typing import Final

__all__ = [
    "COMPARABLE",
    "MOST_UNITS",
    "Absorbs",
    "Basis",
    "Cause",
    "CorrectionKind",
    "CorrectionState",
    "Dataset",
    "Decision",
    "FeedVerdict",
    "FindingState",
    "Fulfilment",
    "ListingStatus",
    "LocationKind",
    "Mode",
    "MovementKind",
    "OrderState",
    "PointState",
    "Quantity",
    "ReturnState",
    "Role",
    "Said",
    "Severity",
]

MOST_UNITS: Final = 999_999_999  # a quantity beyond it is no stock: a placeholder for "always", or a typing error


class Role(StrEnum):
    """What a system is for."""

    COUNTS = "counts"  # owns the on-hand number of some locations
    SELLS = "sells"  # is a channel
    FULFILS = "fulfils"


class LocationKind(StrEnum):
    STORE = "store"
    WAREHOUSE = "warehouse"
    THIRD_PARTY = "3pl"
    PLATFORM = "platform_fc"  # FBA and its like: read, shown, never pushed


class Absorbs(StrEnum):
    """How an owner's book number learns of other systems' orders."""

    OWN = "own"  # it never does: foreign orders stay outside its number
    WRITEBACK = "writeback"  # we post each movement it lacks
    IMPORTED = "imported"  # it imports them itself; they appear in its movements
    AT_COUNT = "at_count"  # only when somebody counts the shelf


class Basis(StrEnum):
    """What a platform's quantity means: net of its own open orders, or gross (it subtracts them from what we send)."""

    NET = "net"
    GROSS = "gross"


class Fulfilment(StrEnum):
    MERCHANT = "merchant"
    PLATFORM = "platform"


class ListingStatus(StrEnum):
    ACTIVE = "active"
    INACTIVE = "inactive"
    DELETED = "deleted"  # by the platform's own word, never by absence from a page


class Quantity(StrEnum):
    """The three values of an observation. Unknown is never 0."""

    KNOWN = "known"
    UNTRACKED = "untracked"
    UNKNOWN = "unknown"


class Dataset(StrEnum):
    """What a channel can be asked for."""

    LOCATIONS = "locations"
    LISTINGS = "listings"
    STOCK = "stock"
    ORDERS = "orders"  # lands order_lines, effects and movements
    MOVEMENTS = "movements"  # the owner's own ledger


class Decision(StrEnum):
    """What a person says of a listing and a sku."""

    ACCEPTED = "accepted"  # it is that sku
    REJECTED = "rejected"  # it is not


class OrderState(StrEnum):
    PENDING = "pending"  # placed, unpaid or not yet released: holds units
    OPEN = "open"
    ON_HOLD = "on_hold"
    FULFILLED = "fulfilled"
    CANCELLED = "cancelled"


class MovementKind(StrEnum):
    SALE = "sale"
    CANCEL = "cancel"
    RETURN = "return"
    RECEIPT = "receipt"
    TRANSFER_OUT = "transfer_out"
    TRANSFER_IN = "transfer_in"
    ADJUSTMENT = "adjustment"
    DAMAGE = "damage"
    COUNT = "count"
    UNEXPLAINED = "unexplained"


class ReturnState(StrEnum):
    """What became of goods that a shopper brought back, in the word of the system that took them back."""

    RECEIVED = "received"  # they are there; nobody has decided yet
    RESTOCKED = "restocked"  # put among what is for sale
    WRITTEN_OFF = "written_off"  # there, and not for sale again
    MISSING = "missing"  # they never came


class PointState(StrEnum):
    AGREED = "agreed"
    PUSH_DUE = "push_due"
    DRIFTED = "drifted"
    CONVERGED = "converged"
    DIVERGED = "diverged"
    FIRST_LOOK = "first_look"
    UNKNOWN = "unknown"
    UNTRACKED = "untracked"
    UNMAPPED = "unmapped"
    UNOFFERED = "unoffered"
    COUNTED = "counted"


# States whose numbers can be compared with what they should be: the denominator of the parity rate.
COMPARABLE: Final = (
    PointState.AGREED,
    PointState.PUSH_DUE,
    PointState.DRIFTED,
    PointState.CONVERGED,
    PointState.DIVERGED,
    PointState.FIRST_LOOK,
)


class Severity(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class FindingState(StrEnum):
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    REOPENED = "reopened"


class Said(StrEnum):
    """What a person may say of a finding."""

    ACKNOWLEDGED = "acknowledged"
    OWNER = "owner"
    DUE = "due"
    NOTE = "note"


class Mode(StrEnum):
    OBSERVE = "observe"
    APPROVE = "approve"
    AUTO = "auto"


class CorrectionKind(StrEnum):
    SET = "set"  # a channel's number becomes its target
    POST = "post"  # a movement the counting system lacks


class CorrectionState(StrEnum):
    PLANNED = "planned"
    HELD = "held"
    APPROVED = "approved"
    SENDING = "sending"
    ACCEPTED = "accepted"
    VERIFIED = "verified"
    REJECTED = "rejected"
    AMBIGUOUS = "ambiguous"
    MISMATCHED = "mismatched"
    SUPERSEDED = "superseded"
    DEAD = "dead"


class Cause(StrEnum):
    """What explains a number that changed without an effect we know (design.md section 4), in the order of the search."""

    KIT = "kit"  # a kit was sold and its components were not lowered, or the reverse
    PACK = "pack"  # a pack was counted as singles, or the reverse
    MISSING_ORDER = "missing_order"  # one side holds an order that the other does not tell
    DUPLICATE = "duplicate"  # an event was applied twice
    UNAPPLIED = "unapplied"  # an event was not applied at all
    ONE_LEG = "one_leg"  # a return or a transfer of which only one leg was booked
    MOVED = "moved"  # another location of the system and sku differs by as much the other way
    SWAPPED = "swapped"  # another sku of the system differs by as much the other way
    PUSH = "push"  # a push of ours failed or never landed
    STALE = "stale"  # the number is an older one
    WITHHELD = "withheld"  # units that we held back for unseen sales which never came
    GHOST = "ghost"  # the goods of a place that the channel may not ship from are counted in
    SECOND_WRITER = "second_writer"  # another program keeps setting the number
    FOREIGN = "foreign"  # a person or another program typed over it: what nothing else explains


class FeedVerdict(StrEnum):
    """What Great Expectations and the reader say of a landed batch. Only `believed` batches are reconciled."""

    BELIEVED = "believed"
    STALE = "stale"
    TRUNCATED = "truncated"
    MASS_ZERO = "mass_zero"
    UNREACHABLE = "unreachable"
