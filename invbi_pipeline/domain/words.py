"""The closed vocabularies: one word, one meaning, in code, tables, sheets, asset names and the command line."""

from enum import StrEnum
from typing import Final

__all__ = [
    "COMPARABLE",
    "Absorbs",
    "Basis",
    "CorrectionKind",
    "CorrectionState",
    "Dataset",
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
    "Role",
    "Severity",
]


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


class FeedVerdict(StrEnum):
    """What Great Expectations and the reader say of a landed batch. Only `believed` batches are reconciled."""

    BELIEVED = "believed"
    STALE = "stale"
    TRUNCATED = "truncated"
    MASS_ZERO = "mass_zero"
    UNREACHABLE = "unreachable"
