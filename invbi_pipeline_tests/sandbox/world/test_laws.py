"""How taste and fashion differ between the worlds."""

import math
import statistics
from datetime import UTC, datetime, timedelta

from invbi_pipeline.sandbox.world.catalogue import Catalogue, Kit, Product
from invbi_pipeline.sandbox.world.laws import CALM, LAWS

_SKUS = [f"S{n:03d}" for n in range(400)]
_DAY = datetime(2026, 9, 14, tzinfo=UTC)


def _catalogue() -> Catalogue:
    products = {sku: Product(sku, "style", sku, {}, "", 20.0, 8.0, 1 / (1 + n)) for n, sku in enumerate(_SKUS)}
    return Catalogue(products, {"KIT": Kit("KIT", "Kit", "", {"S000": 1, "S001": 2}, 50.0, 24.0, 0.5)})


def test_a_law_is_found_by_its_own_name() -> None:
    assert all(laws.name == name for name, laws in LAWS.items())


def test_calm_leaves_taste_as_the_catalogue_has_it_and_has_no_fashion() -> None:
    catalogue = _catalogue()

    assert CALM.taste(catalogue, 1) is catalogue
    assert CALM.fashion(1) is None


def test_taste_is_lognormal_and_the_same_for_a_seed() -> None:
    laws = LAWS["raided"]
    wanted = laws.taste(_catalogue(), 1)

    spread = statistics.stdev(math.log(product.popularity) for product in wanted.products.values())
    assert abs(spread - laws.taste_sigma) < 0.15 * laws.taste_sigma
    assert laws.taste(_catalogue(), 1).products == wanted.products
    assert laws.taste(_catalogue(), 2).products != wanted.products


def test_a_kit_is_wanted_no_more_than_its_best_part() -> None:
    wanted = LAWS["raided"].taste(_catalogue(), 1)

    assert wanted.kits["KIT"].popularity <= max(wanted.products[part].popularity for part in ("S000", "S001"))


def test_a_sku_is_in_fashion_for_whole_weeks_so_many_a_year() -> None:
    laws = LAWS["raided"]
    fashion = laws.fashion(1)
    assert fashion is not None

    weeks = [{fashion(sku, _DAY + timedelta(weeks=w, days=d)) for d in range(7)} for sku in _SKUS for w in range(26)]

    assert all(len(week) == 1 for week in weeks)
    times = [next(iter(week)) for week in weeks]
    assert set(times) == {1.0, laws.fashion_times}
    assert abs(times.count(laws.fashion_times) / len(times) * 52 - laws.fashions_a_year) < 0.5
