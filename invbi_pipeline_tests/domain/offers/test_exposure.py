"""Exposure: what all channels show together, against what lies there."""

from typing import Any

import polars as pl

from invbi_pipeline.domain import frames as f
from invbi_pipeline.domain.offers.exposure import exposure


def rows(schema: f.Schema, *several: dict[str, Any], **usually: Any) -> pl.LazyFrame:
    return pl.LazyFrame([{**dict.fromkeys(schema), **usually, **row} for row in several], schema=dict(schema))


def exposed(
    shown: dict[tuple[str, str], int | None],
    lies: dict[tuple[str, str], int],
    kits: dict[str, dict[str, int]] | None = None,
    packs: dict[str, int] | None = None,
    prices: dict[str, float] | None = None,
    queued: dict[str, int] | None = None,
    **changed: Any,
) -> dict[str, dict[str, Any]]:
    """Return EXPOSURE by sku: `shown` is (system, listing key) -> number, `lies` (sku, place) -> free units.

    The channels sell from the places a and b; a listing's key is its sku.
    """
    priced = {key: (prices or {}).get(key[1]) for key in shown}
    points = [{"system": s, "listing_key": k, "location": "", "reported": n, **changed} for (s, k), n in shown.items()]
    system = rows(f.SYSTEMS, *({"system": s} for s in {s for s, _ in shown}), sells=True, sells_from=["a", "b"])
    held = ({"system": s, "listing_key": k, "sku": k, "units": (packs or {}).get(k, 1)} for s, k in shown)
    parts = [{"kit_sku": kit, "sku": sku, "quantity": n} for kit, of in (kits or {}).items() for sku, n in of.items()]
    values = {"system": pl.String(), "listing_key": pl.String(), "price": pl.Float64()}
    found = exposure(
        rows(f.POINTS, *points, fulfilment="merchant", status="active", state="agreed"),
        rows(f.MAPPINGS, *held),
        rows(f.KITS, *parts),
        rows(f.POSITIONS, *({"sku": s, "location": p, "free": n} for (s, p), n in lies.items())),
        rows(f.RESERVATIONS, *({"sku": s, "location": "", "units": n} for s, n in (queued or {}).items())),
        system,
        rows(f.PLACES, *({"location": p} for p in "abz"), kind="store", counted_by="wms"),
        pl.LazyFrame([(*key, p) for key, p in priced.items()], schema=values, orient="row"),
    )
    return {row["sku"]: row for row in found.collect().iter_rows(named=True)}


def test_what_the_channels_show_beyond_what_lies_there_is_exposed_with_its_money() -> None:
    row = exposed({("web", "A"): 5, ("shop", "A"): 4}, {("A", "a"): 6}, prices={"A": 10.0})["A"]
    assert (row["shown"], row["pool"], row["exposed"], row["money"]) == (9, 6, 3, 30.0)
    assert (row["channels"], row["listings"]) == (2, 2)


def test_what_every_channel_together_may_sell_is_not_exposed() -> None:
    row = exposed({("web", "A"): 2, ("shop", "A"): 4}, {("A", "a"): 1, ("A", "b"): 5})["A"]
    assert (row["exposed"], row["money"]) == (0, 0.0)


def test_kits_and_packs_show_their_components() -> None:
    found = exposed(
        {("web", "K"): 2, ("shop", "A"): 3},
        {("A", "a"): 8, ("B", "a"): 1},
        kits={"K": {"A": 2, "B": 1}},
        packs={"A": 2},
        prices={"K": 9.0, "A": 8.0},
    )
    assert (found["A"]["shown"], found["A"]["exposed"]) == (2 * 2 + 3 * 2, 2)
    assert (found["B"]["shown"], found["B"]["exposed"], found["B"]["money"]) == (2, 1, 3.0)  # a third of the kit's price
    assert found["A"]["money"] == round(2 * (4 * 3.0 + 6 * 4.0) / 10, 2)


def test_places_no_channel_sells_from_hold_nothing_for_them() -> None:
    assert exposed({("web", "A"): 5}, {("A", "z"): 9})["A"]["exposed"] == 5


def test_orders_that_no_place_holds_take_from_the_pool_and_a_pool_below_0_counts_as_nothing() -> None:
    assert exposed({("web", "A"): 5}, {("A", "a"): 5}, queued={"A": 2})["A"]["exposed"] == 2
    assert exposed({("web", "A"): 5}, {("A", "a"): -4})["A"]["exposed"] == 5


def test_what_has_no_price_is_unpriced_not_0() -> None:
    assert exposed({("web", "A"): 5}, {("A", "a"): 4})["A"]["money"] is None


def test_numbers_nobody_could_read_are_counted_and_not_taken_for_0() -> None:
    row = exposed({("web", "A"): None}, {("A", "a"): 4}, state="unknown")["A"]
    assert (row["shown"], row["unread"], row["channels"]) == (0, 1, 0)
    assert exposed({("web", "A"): None}, {("A", "a"): 4}, state="untracked")["A"]["untracked"] == 1


def test_what_a_platform_fulfils_or_nobody_can_buy_is_not_ours_to_promise() -> None:
    assert exposed({("web", "A"): 5}, {("A", "a"): 1}, fulfilment="platform") == {}
    assert exposed({("web", "A"): 5}, {("A", "a"): 1}, status="inactive") == {}
