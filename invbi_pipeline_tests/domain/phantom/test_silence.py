"""The law of silence."""

import numpy as np
import polars as pl
import pytest

from invbi_pipeline.domain.phantom.silence import area, lost_between, silence, wanted

_KNOWN = {"shape": 4.0, "days": 8.0, "silent": 14.0, "steady": 6.0, "elsewhere": 0, "elsewhere_usual": 0.0}


def _stays(**changed: float) -> float:
    shape, scale = wanted("silent", told=True)
    row = pl.DataFrame({**_KNOWN, **changed}).select(silence(shape, scale, pl.col("silent")))
    return float(row.item())


def test_the_longer_the_days_the_rarer_is_the_silence() -> None:
    chances = [_stays(silent=days) for days in (0.0, 1.0, 6.0, 20.0)]

    assert chances[0] == 1.0
    assert chances == sorted(chances, reverse=True)


def test_a_silence_is_less_rare_where_taste_moves() -> None:
    assert _stays(steady=2.0) > 2 * _stays(steady=50.0)


def test_a_silence_is_rarer_while_the_sku_sells_at_the_other_shelves() -> None:
    still, no_more = (_stays(elsewhere=sold, elsewhere_usual=30.0) for sold in (40, 4))

    assert still < no_more / 4


@pytest.mark.parametrize("shape", [0.4, 1.0, 7.0])
@pytest.mark.parametrize("found", [0.0, 0.05])
def test_the_chance_of_a_loss_and_how_long_ago_it_was_are_the_integrals(shape: float, found: float) -> None:
    law = pl.lit(shape), pl.lit(3.0)
    lost, ago = lost_between(*law, pl.lit(20.0), pl.lit(found))
    got = pl.select(lost=lost, ago=ago, area=area(*law, pl.lit(20.0))).row(0, named=True)

    since = (np.arange(200_000) + 0.5) / 10_000
    each = (3.0 / (3.0 + since)) ** shape * np.exp(-found * (20.0 - since)) / 10_000
    assert got["lost"] == pytest.approx(each.sum(), rel=5e-3)
    assert got["ago"] == pytest.approx((each * (20.0 - since)).sum() / each.sum(), rel=5e-3)
    assert found or got["area"] == pytest.approx(each.sum(), rel=1e-4)
