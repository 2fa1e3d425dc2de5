from datetime import UTC, datetime, timedelta

from invbi_pipeline.sandbox.world.policy import Policies, Policy

_NOW = datetime(2026, 9, 18, tzinfo=UTC)


def test_the_narrowest_row_wins() -> None:
    policies = Policies([Policy("buffer", 1), Policy("buffer", 2, "web"), Policy("buffer", 3, sku="A")])
    assert policies.value("buffer", _NOW, "web", "", "A") == 3
    assert policies.value("buffer", _NOW, "web", "", "B") == 2
    assert policies.value("buffer", _NOW, "till", "", "B") == 1


def test_a_row_holds_from_its_first_day_until_its_last_which_it_does_not_hold() -> None:
    policies = Policies([Policy("max_offer", 5, valid_from=_NOW, valid_to=_NOW + timedelta(days=1))])
    assert policies.value("max_offer", _NOW) == 5
    assert policies.value("max_offer", _NOW - timedelta(seconds=1)) is None
    assert policies.value("max_offer", _NOW + timedelta(days=1)) is None


def test_a_row_for_another_place_says_nothing() -> None:
    assert Policies([Policy("safety_stock", 3, location="soho")]).value("safety_stock", _NOW, "web", "leeds", "A") is None
