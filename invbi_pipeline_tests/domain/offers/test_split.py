"""The split of one offer over places."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from invbi_pipeline.domain.offers.split import split


def parts(offer: int | None, *capacities: int | None) -> list[int | None]:
    rows = [
        {
            "system": "s",
            "listing_key": "x",
            "location": f"l{n}",
            "capacity": c or 0,
            "channel_offer": offer,
            "read": c is not None,
        }
        for n, c in enumerate(capacities)
    ]
    schema_overrides = {"channel_offer": pl.Int64}
    return split(pl.LazyFrame(rows, schema_overrides=schema_overrides)).sort("location").collect()["offer"].to_list()


@pytest.mark.parametrize(
    ("offer", "capacities", "expected"),
    [
        (25, (20, 5), [20, 5]),
        (22, (20, 5), [17, 5]),  # a buffer of three from the fullest
        (3, (20, 5), [0, 3]),  # and then from the next
        (4, (3, 3), [1, 3]),  # equally full: by name
        (8, (3, 3), [5, 3]),  # two backorders where most lies
        (0, (0, 0), [0, 0]),
        (None, (4, 2), [None, None]),
        (4, (4, None), [4, None]),  # a place never read
    ],
)
def test_what_is_kept_back_comes_from_the_fullest_place(
    offer: int | None, capacities: tuple[int | None, ...], expected: list[int | None]
) -> None:
    assert parts(offer, *capacities) == expected


@given(st.integers(0, 60), st.lists(st.integers(0, 20), min_size=1, max_size=5))
def test_the_parts_sum_to_the_offer_and_none_is_negative(offer: int, capacities: list[int]) -> None:
    spread = [part or 0 for part in parts(offer, *capacities)]
    assert sum(spread) == offer
    assert min(spread) >= 0
