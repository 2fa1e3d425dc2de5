"""What Shopify's orders did to its numbers, what they hold back, and what left the shelves: three wall frames.

Shopify's rule (https://shopify.dev/docs/apps/build/orders-fulfillment/inventory-management-apps): an order placed takes its
units from `available` at the location that must ship it; shipping changes `available` no more; a cancelled or edited-away unit
comes back there; a refunded unit comes back where it was restocked, or nowhere. A fulfilment order moved elsewhere moves
the units between the two locations' numbers.
"""

from datetime import timedelta
from typing import Final

import polars as pl

from invbi_pipeline.channels.shopify.catalogue import wall
from invbi_pipeline.channels.shopify.orders import OrderTables
from invbi_pipeline.domain.frames import EFFECTS, MOVEMENTS, ORDER_LINES, RETURNS
from invbi_pipeline.domain.words import MovementKind, OrderState, ReturnState

__all__ = ["effects", "itemless_lines", "movements", "order_lines", "returns"]

_LINE: Final = ["order_id", "line_id"]
_NOTHING_LEFT: Final = ["ERROR", "FAILURE"]  # shipment states in which nothing left the shelf
_DONE: Final = ["CLOSED", "CANCELLED"]  # fulfilment orders that ship nothing more
_ROUTED: Final = timedelta(seconds=60)  # Shopify spreads an order over locations within moments; what comes later is a move

_STEPS: Final = {  # https://shopify.dev/docs/api/admin-graphql/latest/enums/ReverseFulfillmentOrderDispositionType
    "PROCESSING_REQUIRED": str(ReturnState.RECEIVED),
    "RESTOCKED": str(ReturnState.RESTOCKED),
    "NOT_RESTOCKED": str(ReturnState.WRITTEN_OFF),
    "MISSING": str(ReturnState.MISSING),
}
_DAMAGED: Final = "DEFECTIVE"  # of ReturnReason

_HAPPENED: Final = (pl.col("units") != 0) & pl.col("listing_key").ne_missing("")  # to a listing that there is


def effects(system: str, tables: OrderTables) -> pl.DataFrame:
    """Return the EFFECTS wall frame: sales, cancels, restocks and moves, each with an id that never changes.

    What an order did to an item that is deleted is left out: no listing has that number any more (`itemless_lines`).
    """
    lines = _placed_lines(tables)
    parts = _other_places(lines, tables)
    at_once = parts.filter("at_once")
    elsewhere = at_once.group_by(_LINE).agg(pl.col("total").sum().alias("elsewhere"))
    bought = _bought(lines, tables).join(elsewhere, on=_LINE, how="left")
    here = pl.col("units") - pl.when(pl.col("n") == 1).then(pl.col("elsewhere").fill_null(0)).otherwise(0)
    later = parts.filter(~pl.col("at_once"))
    taken = _taken_back(lines, tables)
    frames = [
        bought.select(*_common("/sale", _nth()), _kind(MovementKind.SALE), (-here).alias("units"), *_when("at")),
        at_once.select(
            *_common("/sale@", pl.col("location")), _kind(MovementKind.SALE), (-pl.col("total")).alias("units"), *_when("born")
        ),
        *(
            later.select(
                *_common("/move/", pl.col("work_id").cast(pl.String) + end, place),
                _kind(MovementKind.ADJUSTMENT),
                (sign * pl.col("total")).alias("units"),
                *_when("created_at"),
            )
            for end, place, sign in (("/out", "home", 1), ("/in", "location", -1))
        ),
        taken.filter(pl.col("restock") == "CANCEL").select(
            *_common("/cancel", _nth()), _kind(MovementKind.CANCEL), "units", *_when("created_at")
        ),
        _returned(taken).select(
            _effect_id(pl.concat_str("refund_id", pl.lit("/"), "line_id", pl.lit("/restock"), _nth())),
            *_names("location"),
            _kind(MovementKind.RETURN),
            "units",
            *_when("created_at"),
        ),
    ]
    found = pl.concat(frames).filter(_HAPPENED).with_columns(pl.lit(system).alias("system"))
    return wall(found, list(EFFECTS))


def movements(system: str, tables: OrderTables) -> pl.DataFrame:
    """Return the MOVEMENTS wall frame: what the orders took from the shelves and what came back onto them.

    Shipments (a sale over the counter ships at once), shipments undone, and restocked returns. Shopify keeps other changes
    (receipts, counts, transfers, corrections) in a history that its Admin API does not show. Deleted items are left out.
    """
    lines = _placed_lines(tables)
    shipped = (
        tables.shipped.lazy()
        .filter(~pl.col("status").is_in(_NOTHING_LEFT))
        .group_by([*_LINE, "shipment_id"], maintain_order=True)
        .agg(
            pl.col("units").sum(),
            pl.col("status", "created_at", "updated_at", "payload").first(),
            pl.col("location").first().alias("shipped_from"),
        )
        .join(lines.select(*_LINE, "listing_key", "home"), on=_LINE, how="left")
        .with_columns(pl.coalesce("shipped_from", "home").alias("location"))
    )
    own_id = pl.concat_str("order_id", pl.lit("/"), "line_id", pl.lit("/"), "shipment_id")
    undone = shipped.filter(pl.col("status") == "CANCELLED")
    frames = [
        shipped.select(
            _movement_id(own_id), *_names("location"), _kind(MovementKind.SALE), -pl.col("units"), *_when("created_at")
        ),
        undone.select(
            _movement_id(own_id + "/undone"), *_names("location"), _kind(MovementKind.CANCEL), "units", *_when("updated_at")
        ),
        _returned(_taken_back(lines, tables)).select(
            _movement_id(pl.concat_str("refund_id", pl.lit("/"), "line_id", _nth())),
            *_names("location"),
            _kind(MovementKind.RETURN),
            "units",
            *_when("created_at"),
        ),
    ]
    found = (
        pl.concat(frames)
        .filter(_HAPPENED)
        .rename({"stamped_at": "occurred_at"})
        .with_columns(pl.lit(system).alias("system"), pl.lit(None, pl.Int64).alias("counted"), pl.lit("").alias("reference"))
    )
    return wall(found, list(MOVEMENTS))


def order_lines(system: str, tables: OrderTables) -> pl.DataFrame:
    """Return the ORDER_LINES wall frame: one row a line and place that has to ship of it.

    The first place keeps the line's own id, each other one is `<line>@<location>`; a place that has nothing more to ship stays
    as a row of 0 open units, so that it is not forgotten as open. A line whose item is deleted has an empty `listing_key`.
    """
    lines = _placed_lines(tables)
    shipped = (
        tables.shipped.lazy()
        .filter(~pl.col("status").is_in([*_NOTHING_LEFT, "CANCELLED"]))
        .group_by([*_LINE, "location"])
        .agg(pl.col("units").sum().alias("shipped"))
    )
    is_open = ~pl.col("status").is_in(_DONE)
    work = (
        tables.work.lazy()
        .group_by([*_LINE, "location"])
        .agg(
            pl.col("remaining").filter(is_open).sum().alias("open"),
            (is_open & (pl.col("status") == "ON_HOLD") & (pl.col("remaining") > 0)).any().alias("held"),
            (is_open & (pl.col("status") == "SCHEDULED") & (pl.col("remaining") > 0)).any().alias("scheduled"),
        )
    )
    others = (
        work.join(lines, on=_LINE)
        .filter(pl.col("location").ne_missing(pl.col("home")))
        .join(shipped, on=[*_LINE, "location"], how="left", nulls_equal=True)
        .with_columns(pl.col("shipped").fill_null(0), pl.concat_str("line_id", pl.lit("@"), "location").alias("row_id"))
    )
    shipped_here = (
        shipped.group_by(_LINE)
        .agg(pl.col("shipped").sum())
        .join(others.group_by(_LINE).agg(pl.col("shipped").sum().alias("there")), on=_LINE, how="left")
        .select(*_LINE, pl.col("shipped") - pl.col("there").fill_null(0))
    )
    here = (
        lines.join(work, left_on=[*_LINE, "home"], right_on=[*_LINE, "location"], how="left", nulls_equal=True)
        .join(shipped_here, on=_LINE, how="left")
        .with_columns(
            pl.col("home").alias("location"),
            # without fulfilment orders (a missing permission) what is not shipped is open, and nobody knows where
            pl.coalesce("open", pl.when(pl.col("routed")).then(0).otherwise(pl.col("unfulfilled"))).alias("open"),
            pl.col("shipped").fill_null(0),
            pl.col("line_id").alias("row_id"),
        )
    )
    columns = [
        *(name for name in lines.collect_schema().names() if name != "line_id"),
        *("location", "open", "held", "scheduled", "shipped", "row_id"),
    ]
    state = (
        pl.when(pl.col("open") > 0)
        .then(
            pl.when(pl.col("held"))
            .then(pl.lit(str(OrderState.ON_HOLD)))
            .when(pl.col("scheduled") | pl.col("unpaid"))
            .then(pl.lit(str(OrderState.PENDING)))
            .otherwise(pl.lit(str(OrderState.OPEN)))
        )
        .when(pl.col("shipped") > 0)
        .then(pl.lit(str(OrderState.FULFILLED)))
        .otherwise(pl.lit(str(OrderState.CANCELLED)))
    )
    found = pl.concat([here.select(columns), others.select(columns)]).select(
        pl.lit(system).alias("system"),
        "order_id",
        pl.col("row_id").alias("line_id"),
        "external_id",
        "listing_key",
        "raw_sku",
        pl.col("location").fill_null("").alias("location_key"),
        state.alias("state"),
        (pl.col("shipped") + pl.col("open")).alias("quantity"),
        pl.col("open").alias("open_quantity"),
        "price",
        "currency",
        pl.col("born").alias("ordered_at"),
        "updated_at",
        "payload",
    )
    return wall(found, list(ORDER_LINES))


def returns(system: str, tables: OrderTables) -> pl.DataFrame:
    """Return the RETURNS wall frame: every disposition of goods that came back, damaged where the return's reason says so.

    A refund without a return says nothing of goods: money back is not goods back.
    """
    found = (
        tables.returned.lazy()
        .join(_placed_lines(tables).select(*_LINE, "listing_key"), on=_LINE)
        .filter(pl.col("listing_key") != "")
        .with_columns(state=pl.col("disposition").replace_strict(_STEPS, default=None, return_dtype=pl.String))
        .drop_nulls("state")  # a type that Shopify adds one day says nothing we know
        .select(
            *("event_id", "return_id", "listing_key", "state", "order_id", "line_id", "payload"),
            system=pl.lit(system),
            location_key=pl.col("location").fill_null(""),
            units=pl.col("units"),
            damaged=(pl.col("reason") == _DAMAGED).cast(pl.String),
            occurred_at=pl.col("at"),
        )
    )
    return wall(found, list(RETURNS))


def itemless_lines(tables: OrderTables) -> int:
    """Return how many order lines name no item: it was deleted, or they never had one (a charge, something typed in)."""
    return int(_placed_lines(tables).filter(pl.col("listing_key") == "").select(pl.len()).collect().item())


def _placed_lines(tables: OrderTables) -> pl.LazyFrame:
    """Return the lines with when they came to be (`born`), where they are to be shipped from first (`home`), and their order."""
    first_work = (
        tables.work.lazy()
        .sort("work_id")
        .group_by(_LINE, maintain_order=True)
        .agg(pl.col("location").first().alias("first_place"), pl.col("item").drop_nulls().first())
        .with_columns(pl.lit(True).alias("routed"))
    )
    first_shipped = (
        tables.shipped.lazy().group_by(_LINE, maintain_order=True).agg(pl.col("location").first().alias("shipped_from"))
    )
    first_sold = tables.sold.lazy().group_by(_LINE).agg(pl.col("at").min().alias("sold_at"))
    return (
        tables.lines.lazy()
        .join(tables.orders.lazy(), on="order_id")
        .join(first_work, on=_LINE, how="left")
        .join(first_shipped, on=_LINE, how="left")
        .join(first_sold, on=_LINE, how="left")
        .with_columns(
            pl.coalesce("sold_at", "created_at").alias("born"),
            pl.coalesce("first_place", "shipped_from", "retail_location").alias("home"),
            pl.coalesce("listing_key", "item").fill_null("").alias("listing_key"),
            pl.col("routed").fill_null(value=False),
        )
        .drop("item", "first_place", "shipped_from", "sold_at", "created_at", "retail_location")
    )


def _other_places(lines: pl.LazyFrame, tables: OrderTables) -> pl.LazyFrame:
    """Return the units of a line that another than its first place has to ship; `at_once` where the order was split so."""
    late = _moment("created_at") > _moment("born") + _ROUTED
    return (
        tables.work.lazy()
        .group_by([*_LINE, "work_id"], maintain_order=True)
        .agg(pl.col("total").sum(), pl.col("location", "created_at", "payload").first())
        .join(lines.select(*_LINE, "listing_key", "home", "born"), on=_LINE)
        .filter(pl.col("location").ne_missing(pl.col("home")) & (pl.col("total") > 0))
        .with_columns((~late).alias("at_once"))
    )


def _bought(lines: pl.LazyFrame, tables: OrderTables) -> pl.LazyFrame:
    """Return when which units of a line were ordered: at once, or for edited orders as its agreements say.

    What the agreements leave out or say too much is put to the first of them, so that a line's units are always its quantity.
    """
    sold = (
        tables.sold.lazy()
        .group_by([*_LINE, "at"])
        .agg(pl.col("units").sum())
        .sort("at")
        .with_columns(pl.col("at").cum_count().over(_LINE).cast(pl.Int64).alias("n"))
    )
    pieces = lines.join(sold, on=_LINE, how="left").with_columns(
        pl.coalesce("at", "born").alias("at"), pl.col("n").fill_null(1), pl.coalesce("units", "quantity").alias("units")
    )
    rest = pl.col("quantity") - pl.col("units").sum().over(_LINE)
    return pieces.with_columns(
        pl.when(pl.col("n") == 1).then(pl.col("units") + rest).otherwise(pl.col("units")).alias("units"),
        pl.col("home").alias("location"),
    )


def _taken_back(lines: pl.LazyFrame, tables: OrderTables) -> pl.LazyFrame:
    """Return the refunded units that went back into the numbers, numbered within line and kind (returns: within the refund)."""
    order = ["created_at", "refund_id", "entry_id"]
    within = pl.when(pl.col("restock") == "CANCEL").then(pl.lit("")).otherwise(pl.col("refund_id"))
    return (
        tables.refunded.lazy()
        .filter("restocked")
        .rename({"location": "restocked_at"})
        .join(lines.select(*_LINE, "listing_key", "home"), on=_LINE)
        .sort(order)
        .with_columns(within.alias("group"), pl.coalesce("restocked_at", "home").alias("location"))
        .with_columns(pl.col("entry_id").cum_count().over([*_LINE, "group"]).cast(pl.Int64).alias("n"))
    )


def _returned(taken: pl.LazyFrame) -> pl.LazyFrame:
    return taken.filter(pl.col("restock").is_in(["RETURN", "LEGACY_RESTOCK"]))


def _nth() -> pl.Expr:
    return pl.when(pl.col("n") > 1).then(pl.lit("/") + pl.col("n").cast(pl.String)).otherwise(pl.lit(""))


def _moment(name: str) -> pl.Expr:
    return pl.col(name).str.to_datetime(time_zone="UTC", strict=False)


def _kind(kind: MovementKind) -> pl.Expr:
    return pl.lit(str(kind)).alias("kind")


def _effect_id(expression: pl.Expr) -> pl.Expr:
    return expression.alias("effect_id")


def _movement_id(expression: pl.Expr) -> pl.Expr:
    return expression.alias("movement_id")


def _names(place: str) -> list[pl.Expr]:
    return [pl.col("listing_key"), pl.col(place).fill_null("").alias("location_key"), pl.col("order_id"), pl.col("line_id")]


def _common(what: str, end: pl.Expr, place: str = "location") -> list[pl.Expr]:
    own = pl.concat_str("order_id", pl.lit("/"), "line_id", pl.lit(what), end, ignore_nulls=True)
    return [own.alias("effect_id"), *_names(place)]


def _when(name: str) -> list[pl.Expr]:
    return [pl.col(name).alias("stamped_at"), pl.col("payload")]
