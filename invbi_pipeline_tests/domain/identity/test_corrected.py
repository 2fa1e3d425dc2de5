"""What a person said of a listing and then corrected: orders go by the word that stands, real changes keep their history."""

from datetime import timedelta
from typing import Any

from invbi_pipeline.domain.truth import TruthResult, truth
from invbi_pipeline_tests.domain.small_world import NOW, Rows, at, channel, inputs, order, shelves, wms, world


def said(sku: str, **facts: Any) -> dict[str, Any]:
    return {"system": "web", "listing_key": "L", "sku": sku, "decided_at": NOW, **facts}


def run(hours: float, before: TruthResult | None, decisions: list[dict[str, Any]], listing: str = "what?") -> TruthResult:
    """Decide so many hours from now, in a shop whose one listing has open orders of ten, five and one hours ago."""
    skus = world(wms(), shelves("WRONG", a=9), {**shelves("RIGHT", a=9), "places": []})
    orders = world(*(order("web", f"o{-age}", "L", 1, ordered_at=at(age)) for age in (-10, -5, -1)))
    rows: Rows = world(skus, channel("web", sells_from=["a"], keys_are_skus=False), orders)
    rows["listings"] = [{"system": "web", "listing_key": "L", "raw_sku": listing}]
    kept = {} if before is None else {"mappings": before.mappings.to_dicts()}
    return truth(inputs(**{**rows, **kept, "decisions": decisions}), NOW + timedelta(hours=hours))


def reserved(result: TruthResult) -> dict[str, str]:
    return dict(result.reservations.select("order_id", "sku").rows())


def test_orders_leave_a_sku_that_was_accepted_by_mistake() -> None:
    mistake = run(-3, None, [said("WRONG", seq=1)])
    assert set(reserved(mistake).values()) == {"WRONG"}
    mended = run(0, mistake, [said("WRONG", seq=1), said("RIGHT", seq=2)])
    assert reserved(mended) == dict.fromkeys(("o10", "o5", "o1"), "RIGHT")
    assert mended.mappings.filter(system="web").height == 2  # what was said is still told
    assert reserved(run(1, mended, [said("WRONG", seq=1), said("RIGHT", seq=2)])) == reserved(mended)


def test_orders_leave_a_sku_whose_acceptance_was_rejected_and_follow_the_next_word() -> None:
    refused = [said("WRONG", seq=1), said("WRONG", seq=2, decision="rejected")]
    gone = run(-2, run(-3, None, refused[:1]), refused)
    assert reserved(gone) == {}
    assert gone.suggestions.filter(sku="WRONG").is_empty()
    assert set(reserved(run(0, gone, [*refused, said("RIGHT", seq=3)])).values()) == {"RIGHT"}


def test_a_rejection_ends_the_mapping_of_a_thing_that_only_orders_name() -> None:
    def only_orders(hours: float, before: TruthResult | None, decisions: list[dict[str, Any]]) -> TruthResult:
        return run(hours, before, decisions, listing="")

    first = only_orders(-3, None, [said("WRONG", seq=1)])
    assert reserved(only_orders(0, first, [said("WRONG", seq=1), said("WRONG", seq=2, decision="rejected")])) == {}


def test_a_rejected_word_gives_way_to_what_held_before_it_without_a_gap() -> None:
    exact = run(-8, None, [], listing="RIGHT")
    mistake = run(-6, exact, [said("WRONG", seq=1)], listing="RIGHT")
    assert reserved(mistake) == {"o10": "RIGHT", "o5": "WRONG", "o1": "WRONG"}
    mended = run(0, mistake, [said("WRONG", seq=1), said("WRONG", seq=2, decision="rejected")], listing="RIGHT")
    assert set(reserved(mended).values()) == {"RIGHT"}


def test_a_change_that_a_person_dates_keeps_what_was_before_it() -> None:
    pack = [said("WRONG", seq=1), said("RIGHT", units=6, seq=2, since=at(-7))]
    assert reserved(run(0, run(-9, None, pack[:1]), pack)) == {"o10": "WRONG", "o5": "RIGHT", "o1": "RIGHT"}


def test_a_rejection_that_a_person_dates_keeps_what_was_before_it() -> None:
    words = [said("WRONG", seq=1), said("WRONG", seq=2, decision="rejected", since=at(-7))]
    assert reserved(run(0, run(-9, None, words[:1]), words)) == {"o10": "WRONG"}


def test_a_code_that_its_platform_changed_keeps_its_history() -> None:
    before = run(-6, None, [], listing="WRONG")
    assert reserved(run(0, before, [], listing="RIGHT")) == dict.fromkeys(("o10", "o5", "o1"), "WRONG")


def test_of_words_said_at_one_time_the_later_holds() -> None:
    words = [said("RIGHT", seq=1), said("WRONG", seq=2), said("RIGHT", seq=3)]
    assert set(reserved(run(0, None, words)).values()) == {"RIGHT"}
    assert set(reserved(run(0, None, words[:2])).values()) == {"WRONG"}
