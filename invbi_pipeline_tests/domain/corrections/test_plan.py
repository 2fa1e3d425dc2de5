"""The plan: what should be changed, with ids that mean the same trouble and not the same number."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from invbi_pipeline.domain import frames as f
from invbi_pipeline.domain.corrections.plan import MODES, PlanInputs, plan

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def rows(schema: f.Schema, *some: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame([{**dict.fromkeys(schema), **one} for one in some], schema=dict(schema))


def point(**over: Any) -> dict[str, Any]:
    plain = {"system": "shop", "listing_key": "l", "location": "", "sku": "MUG", "state": "push_due", "fulfilment": "merchant"}
    numbers = {
        "raw": 5,
        "reported": 5,
        "send": 3,
        "target": 3,
        "withhold": 0,
        "version": "v1",
        "observed_at": NOW,
        "status": "active",
    }
    return {**plain, **numbers, **over}


def planned(*points: dict[str, Any], **over: Any) -> pl.DataFrame:
    modes = pl.DataFrame([{"system": "shop", "mode": "auto"}, {"system": "till", "mode": "auto"}], schema=MODES)
    return plan(PlanInputs(points=rows(f.POINTS, *points), modes=modes)._replace(**over), NOW, "r1")


def test_a_number_that_must_fall_becomes_a_set_with_what_to_compare() -> None:
    row = planned(point()).row(0, named=True)
    assert (row["kind"], row["from_qty"], row["to_qty"], row["target"], row["mode"]) == ("set", 5, 3, 3, "auto")
    assert "shows 5, should show 3" in row["reason"]


@pytest.mark.parametrize("state", ["drifted", "diverged"])
def test_why_a_number_is_set_leaves_it_to_the_finding_which_events_explain_it(state: str) -> None:
    reason = planned(point(state=state))["reason"].item()
    assert "what it shows" in reason
    assert "order" not in reason


def test_what_is_counted_unknown_untracked_unmapped_inactive_or_the_platforms_own_is_never_set() -> None:
    states = [point(state=state) for state in ("counted", "unknown", "untracked", "unmapped", "unoffered")]
    assert planned(*states, point(status="inactive"), point(fulfilment="platform")).is_empty()


def test_nothing_is_planned_where_there_is_nothing_to_send() -> None:
    assert planned(point(send=None, target=None)).is_empty()


def test_an_offer_that_hangs_on_a_blind_owner_may_only_fall() -> None:
    offers = rows(f.OFFERS, {"system": "shop", "listing_key": "l", "location": "", "falling_only": True})
    assert planned(point(send=9), offers=offers).is_empty()
    assert planned(point(send=1), offers=offers).height == 1


def test_the_same_trouble_seen_again_is_the_same_correction() -> None:
    first = planned(point(observed_at=NOW))
    again = planned(point(observed_at=NOW + timedelta(minutes=5)))
    assert first["correction_id"].to_list() == again["correction_id"].to_list()


def test_five_to_six_and_back_to_five_and_to_six_again_are_different_corrections() -> None:
    def base(sent: datetime | None) -> pl.DataFrame:
        return rows(f.BASES, {"system": "shop", "listing_key": "l", "location": "", "sent_at": sent, "lost": 0, "returns": 0})

    before = planned(point(raw=5, send=6, version=""), bases=base(None))
    after = planned(point(raw=5, send=6, version=""), bases=base(NOW))
    assert before["idempotency_key"][0] != after["idempotency_key"][0]


def test_lowering_comes_before_raising_and_the_largest_first() -> None:
    some = (("a", 9), ("b", 4), ("c", 1))
    order = planned(*(point(listing_key=key, send=send, target=send) for key, send in some))["listing_key"].to_list()
    assert order == ["c", "b", "a"]


def test_a_movement_the_counting_system_lacks_becomes_a_post_once_for_each_listing() -> None:
    lacking = {"system": "till", "listing_key": "v", "location": "soho", "sku": "MUG", "units": -1, "movement_ref": "shop/1"}
    systems = rows(f.SYSTEMS, {"system": "till", "absorbs": "writeback"})
    posts = planned(unbooked=rows(f.UNBOOKED, lacking, {**lacking, "listing_key": "w"}), systems=systems)
    assert posts["kind"].to_list() == ["post", "post"]
    assert posts["to_qty"].to_list() == [-1, -1]
    assert posts["idempotency_key"].n_unique() == 2


def test_money_at_risk_is_null_where_there_is_no_price() -> None:
    prices = pl.DataFrame({"system": ["shop"], "listing_key": ["l"], "price": [9.5]})
    assert planned(point(), prices=prices)["money_at_risk"].to_list() == [19.0]
    assert planned(point())["money_at_risk"].to_list() == [None]
