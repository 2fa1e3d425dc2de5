"""After staging: the newest believed word of each system, with configured names."""

from typing import Final

from invbi_pipeline.domain.frames.schema import INT, MONEY, TEXT, UTC, Schema
from invbi_pipeline.domain.frames.walls import STOCK

__all__ = ["FEEDS", "OBSERVATIONS"]

OBSERVATIONS: Final[Schema] = {  # one row a (system, listing_key, location): STOCK plus when it was read
    **{k: v for k, v in STOCK.items() if k != "location_key"},
    "location": TEXT,
    "observed_at": UTC,  # the platform's clock at the answer: how far this number reaches
    "read_began_at": UTC,  # our clock
    "read_ended_at": UTC,  # our clock
    "batch_id": TEXT,
}

FEEDS: Final[Schema] = {  # one row a system: what this run may believe of it
    "system": TEXT,
    "verdict": TEXT,  # words.FeedVerdict of its worst dataset
    "reason": TEXT,
    "stock_read_at": UTC,  # the platform's clock at the newest believed stock read
    "orders_complete_to": UTC,  # the platform's clock: a sweep has read past every order change stamped before this
    "order_lag_s": INT,  # measured longest lately, with the configured floor; seconds
    "read_lag_s": INT,
    "visibility_lag_s": INT,
    "blind_since": UTC,  # our clock: since when it could not be read; null while it can
    "clock_skew_s": MONEY,  # its clock less ours at the exchange; null where it states no time
}
