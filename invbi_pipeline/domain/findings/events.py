"""Events that went astray: webhooks that never came, and movements that an owner booked twice."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from invbi_pipeline.domain.candidates import plural
from invbi_pipeline.domain.findings.inputs import TOLD, FindingInputs, subject, told
from invbi_pipeline.domain.frames import empty

__all__ = ["booked_twice", "missed"]

# How long a platform tries to deliver a webhook again (shopify.dev/docs/apps/build/webhooks/troubleshooting-webhooks: 8 times in
# 4 hours; developer.squareup.com/docs/webhooks/troubleshooting: 24 hours).
_RETRIES: Final[Mapping[str, timedelta]] = {"shopify": timedelta(hours=4), "square": timedelta(hours=24)}
_NAMED: Final = 20  # of the orders, in the evidence
_CLOCKS: Final = timedelta(minutes=5)  # how far the platform's clock may be from ours
_LOOKED_BACK: Final = timedelta(days=2)  # `FindingInputs.orders`


def missed(inputs: FindingInputs, now: datetime) -> pl.DataFrame:
    """Return `missed_event` as TOLD, one row a system: orders that a sweep read and of which no webhook ever spoke.

    Only of systems that delivered something before, and of orders placed after that; a delivery that names the order, or one of
    its listings from then on, is enough. Later ones have no say until the platform has given up trying.
    """
    patience = pl.col("platform").replace_strict(_RETRIES, default=None, return_dtype=pl.Duration("us"))
    began = inputs.deliveries.group_by("system").agg(since=pl.col("received_at").min(), last=pl.col("received_at").max())
    watched = began.join(inputs.systems.select("system", "platform"), on="system").with_columns(patience=patience)
    lines = inputs.orders.join(watched, on="system").filter(
        (pl.col("ordered_at") > pl.col("since") + _CLOCKS)
        & (pl.col("ordered_at") > now - _LOOKED_BACK)
        & (pl.col("ordered_at") + pl.col("patience") < now)
    )
    came = inputs.deliveries.select("system", "received_at", "listing_keys", "order_ids")
    by_order = came.explode("order_ids").drop_nulls("order_ids").select("system", order_id="order_ids").unique()
    of_listings = came.explode("listing_keys").drop_nulls("listing_keys").select(
        "system", "received_at", listing_key="listing_keys"
    )  # fmt: skip
    asked = lines.select("system", "order_id", "listing_key", "ordered_at", "patience")
    near = of_listings.join(asked, on=["system", "listing_key"])
    by_listing = near.filter(
        pl.col("received_at").is_between(pl.col("ordered_at") - _CLOCKS, pl.col("ordered_at") + pl.col("patience"))
    )
    untold = lines.join(by_order, on=["system", "order_id"], how="anti").join(by_listing, on=["system", "order_id"], how="anti")
    rows = (
        untold.sort("ordered_at", "order_id")
        .group_by("system", maintain_order=True)
        .agg(
            units=pl.col("order_id").n_unique().cast(pl.Int64),
            orders=pl.col("order_id").unique(maintain_order=True).head(_NAMED),
            first_at=pl.col("ordered_at").min(),
            last_delivery_at=pl.col("last").first(),
        )
    )
    cause = pl.format(
        "{} {} on {} changed stock since {} and no webhook told us; the sweep found them.",
        "units", plural("units", "order", "orders"), "system", pl.col("first_at").dt.strftime("%-d %b %H:%M UTC"),
    )  # fmt: skip
    return told(rows, "missed_event", cause, "orders", "first_at", "last_delivery_at")


def booked_twice(inputs: FindingInputs) -> pl.DataFrame:
    """Return `duplicate_event` as TOLD, one row a shelf: an owner booked one movement of another system more than once.

    Bookings that name the same movement and together are more than it was. What was booked in parts, or taken back, is none.
    """
    key = ["system", "listing_key", "location", "reference"]
    booked = inputs.movements.filter(pl.col("reference").fill_null("").str.contains("/", literal=True) & (pl.col("units") != 0))
    if booked.is_empty():
        return empty(TOLD)
    origin = inputs.movements.select(
        reference=pl.concat_str("system", pl.lit("/"), "movement_id"), was="units", sold_as="listing_key", home="system"
    )
    held = inputs.mappings.filter(pl.col("valid_to").is_null())
    per = held.select(home="system", sold_as="listing_key", sku_sold="sku", per="units")
    mine = held.select("system", "listing_key", "sku", each="units")
    groups = (
        booked.group_by(key)
        .agg(
            total=pl.col("units").sum(),
            one=pl.col("units").sort_by("occurred_at").first(),
            movements=pl.col("movement_id").sort(),
            event=pl.col("order_id").first(),
            event_kind=pl.col("kind").first(),
            booked_at=pl.col("occurred_at").max(),
        )
        .filter((pl.col("movements").list.len() > 1) & (pl.col("total").abs() > pl.col("one").abs()))
        .join(mine, on=["system", "listing_key"], how="left")
        .join(origin, on="reference", how="left")
        .join(per, on=["home", "sold_as"], how="left")
    )
    due = pl.when(pl.col("sku") == pl.col("sku_sold")).then(pl.col("was") * pl.col("per") // pl.col("each"))
    too_much = pl.col("total").abs() - pl.coalesce(due, "one").abs()
    # of a kit sold there, how much each component moved is not said: equal bookings are one told twice
    rows = groups.with_columns(units=too_much).filter(pl.col("units") > 0).sort(*key)
    one_a_shelf = rows.unique(["system", "listing_key", "location"], keep="first", maintain_order=True)
    cause = pl.format(
        "{} was booked {} times for {}: {} {} too many.",
        pl.col("reference"), pl.col("movements").list.len(), subject(), "units", plural("units", "unit", "units"),
    )  # fmt: skip
    more = plural(pl.col("movements").list.len().cast(pl.Int64()) - 1, "second booking", "further bookings")
    mend = pl.format("Take the {} out of the books of {}: there the stock is counted, and every channel follows.", more, "system")
    evidence = ("reference", "event", "event_kind", "movements", "booked_at")
    return told(one_a_shelf.with_columns(action=mend), "duplicate_event", cause, *evidence)
