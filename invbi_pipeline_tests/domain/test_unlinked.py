"""Changes that link nothing take their place within their family, with the result of joining the families anew."""

from dataclasses import fields
from typing import Any

import polars as pl
import pytest

from invbi_pipeline.domain import incremental, unlinked
from invbi_pipeline.domain.decision import Decided, decide
from invbi_pipeline.domain.incremental import Kept, Part, carried, keep, redecide
from invbi_pipeline.domain.points import MergeResult
from invbi_pipeline_tests.domain.small_world import NOW, Rows
from invbi_pipeline_tests.domain.test_incremental import assert_same, frames, lived_in, rows_of

SALE: Rows = {
    "observations": [{"system": "web", "listing_key": "B", "quantity": 3}],
    "order_lines": [{"system": "web", "order_id": "o7", "line_id": "1", "listing_key": "B", "raw_sku": "B",
                     "quantity": 1, "open_quantity": 1}],
}  # fmt: skip


@pytest.fixture(scope="module")
def kept() -> Kept:
    sold = [{"system": "web", "order_id": "o0", "line_id": "1", "listing_key": "C", "raw_sku": "C", "quantity": 1}]
    given = frames(lived_in({"order_lines": sold}))
    before = decide(given, NOW, "r", "EUR")
    return keep({**given, **carried(before)}, before)


def redone(kept: Kept, rows: Rows) -> Part:
    return redecide(kept, frames(rows), NOW, "r", "EUR")


def test_what_follows_a_sale_is_decided_as_if_the_families_were_joined_anew(kept: Kept) -> None:
    part = redone(kept, SALE)
    quick = unlinked.moved_on(kept, frames(SALE), part)
    slow = incremental.moved_on(kept, frames(SALE), part, carrying=True)
    assert quick is not None
    later: Rows = {"observations": [{"system": "shop", "listing_key": "B", "quantity": 1}]}
    one, other = redone(quick, later), redone(slow, later)
    assert_same(only(one), only(other))


def test_the_order_of_a_sale_is_known_to_the_next_change_of_it(kept: Kept) -> None:
    quick = unlinked.moved_on(kept, frames(SALE), redone(kept, SALE))
    assert quick is not None
    assert "o7" in quick.orders.fresh["id"].to_list()


@pytest.mark.parametrize(
    "change",
    [
        {"listings": ("web", "E-9", "")},
        {"kit_rows": ("K", "D")},
        {"prices": ("B", "c")},
    ],
)
def test_what_says_what_things_are_is_not_put_in_place(kept: Kept, change: dict[str, Any]) -> None:
    rows = rows_of(change)
    assert unlinked.moved_on(kept, frames(rows), redone(kept, rows)) is None


@pytest.mark.parametrize(
    "rows",
    [
        {"observations": [{"system": "web", "listing_key": "never met", "quantity": 1}]},
        {"observations": [{"system": "web", "listing_key": "B", "location": "p9", "quantity": 1}]},
        {"order_lines": [{"system": "web", "order_id": "o8", "line_id": "1", "listing_key": "B", "raw_sku": "D", "quantity": 1}]},
    ],
)
def test_things_places_and_codes_never_met_are_not_put_in_place(kept: Kept, rows: Rows) -> None:
    assert unlinked.moved_on(kept, frames(rows), redone(kept, rows)) is None


def only(part: Part) -> Decided:
    """Of what was decided, that of the families themselves: witnesses differ."""

    def keyed(found: pl.DataFrame) -> pl.DataFrame:
        return part.mine(found) if {"system", "listing_key"} <= set(found.columns) else found.clear()

    decided = part.decided
    truth = decided.truth._replace(**{name: keyed(rows) for name, rows in decided.truth._asdict().items()})
    compared = MergeResult(**{one.name: keyed(getattr(decided.points, one.name)) for one in fields(MergeResult)})
    return decided._replace(truth=truth, points=compared, findings=keyed(decided.findings), plan=keyed(decided.plan))
