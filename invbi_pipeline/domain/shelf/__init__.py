"""What went wrong with the goods themselves, as CANDIDATES: promises that will never ship, returns and transfers half booked."""

from invbi_pipeline.domain.shelf.limits import USUAL, Limits
from invbi_pipeline.domain.shelf.reservations import stale
from invbi_pipeline.domain.shelf.returns import not_restocked, told_returns, without_receipt
from invbi_pipeline.domain.shelf.transfers import not_received
from invbi_pipeline.domain.shelf.unsellable import counted_as_sellable

__all__ = ["USUAL", "Limits", "counted_as_sellable", "not_received", "not_restocked", "stale", "told_returns", "without_receipt"]
