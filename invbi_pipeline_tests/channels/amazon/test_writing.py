"""What the Amazon channel writes, and what it says of each row."""

import asyncio
import json
from datetime import timedelta

import httpx
import pytest

from invbi_pipeline.channels.protocol import Write
from invbi_pipeline.domain.words import CorrectionKind, Dataset
from invbi_pipeline.sandbox.amazon import availability, feeds_api
from invbi_pipeline_tests.channels.amazon.shop import Shop, set_to, shop


def number(seller: Shop, sku: str) -> int | None:
    return seller.account.number(sku, "")


def test_a_set_is_a_merge_and_keeps_the_handling_time() -> None:
    seller = shop()
    (result,) = asyncio.run(seller.write(set_to("M-0", 4)))
    assert (result.correction_id, result.outcome, number(seller, "M-0")) == ("c-M-0", "accepted", 4)
    assert result.answered_at is not None
    assert seller.account.lead_time_resets == []


def test_accepted_is_not_applied() -> None:
    seller = shop()
    seller.account.wire.visibility_lag_s = 600
    (result,) = asyncio.run(seller.write(set_to("M-0", 4)))
    before = asyncio.run(seller.channel.read_back([("M-0", "")])).frames["stock"]["quantity"].to_list()
    seller.clock.pass_by(minutes=11)
    after = asyncio.run(seller.channel.read_back([("M-0", "")])).frames["stock"]["quantity"].to_list()
    assert (result.outcome, before, after) == ("accepted", ["10"], ["4"])


@pytest.mark.parametrize("location", ["", "AMAZON_EU"])
def test_platform_fulfilled_listings_are_never_written(location: str) -> None:
    seller = shop()
    write = Write("f", CorrectionKind.SET, "F-0", location, 3, None, "k")
    (result,) = asyncio.run(seller.write(write))
    assert (result.outcome, result.code) == ("rejected", "platform_fulfilled")
    assert seller.asked("/items/", "PATCH") == []
    assert seller.account.conversions == []


def test_a_listing_that_became_amazons_since_we_last_looked_is_found_out_in_time() -> None:
    seller = shop()
    asyncio.run(seller.read(Dataset.LISTINGS))
    seller.account._store.listings["M-0"].channel = "AMAZON_EU"
    seller.clock.pass_by(minutes=31)
    (result,) = asyncio.run(seller.write(set_to("M-0", 3)))
    assert (result.outcome, result.code) == ("rejected", "platform_fulfilled")


def test_an_unknown_listing_and_a_delta_are_refused_here() -> None:
    seller = shop()
    delta = Write("d", CorrectionKind.POST, "M-0", "", -1, None, "k")
    results = asyncio.run(seller.write(set_to("GONE", 3), delta))
    assert [(r.outcome, r.code) for r in results] == [("rejected", "unknown_listing"), ("rejected", "not_supported")]


def test_what_amazon_finds_invalid_is_rejected_with_its_words() -> None:
    seller = shop()
    seller.account.wire.reject_writes = {"M-0"}
    first, second = asyncio.run(seller.write(set_to("M-0", 3), set_to("M-1", 3)))
    assert (first.outcome, first.code) == ("rejected", "99300")
    assert "cannot be changed" in first.message
    assert (second.outcome, number(seller, "M-1")) == ("accepted", 3)


def test_many_go_as_one_feed_and_each_row_has_its_own_result() -> None:
    seller = shop(merchant=150)
    seller.account.wire.reject_writes = {"M-7", "M-70"}
    results = asyncio.run(seller.write(*[set_to(f"M-{n}", 3) for n in range(150)]))
    assert len(results) == len({result.correction_id for result in results}) == 150
    assert {r.correction_id for r in results if r.outcome == "rejected"} == {"c-M-7", "c-M-70"}
    assert {r.code for r in results if r.outcome == "rejected"} == {"99300"}
    assert [number(seller, sku) for sku in ("M-6", "M-7", "M-149")] == [3, 10, 3]
    assert len(seller.asked("/feeds/2021-06-30/feeds", "POST")) == 1
    assert seller.asked("/items/", "PATCH") == []


@pytest.mark.parametrize("many", [1, 120], ids=["patch", "feed"])
def test_no_buyer_s_address_is_in_what_amazon_said_of_a_row(many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def named(code: str, message: str, category: str) -> availability.Issue:
        return issue(code, f"{message} Ask buyer jane@doe.com.", category)

    issue = availability.Issue
    monkeypatch.setattr(availability, "Issue", named)
    seller = shop(merchant=many)
    seller.account.wire.reject_writes = {"M-0"}
    refused = asyncio.run(seller.write(*[set_to(f"M-{n}", 3) for n in range(many)]))[0]
    assert (refused.correction_id, refused.outcome) == ("c-M-0", "rejected")
    assert "jane" not in refused.message + refused.answer
    assert "Ask buyer [e-mail]." in refused.message
    json.loads(refused.answer)


def test_urgent_rows_do_not_wait_for_the_feed() -> None:
    seller = shop(merchant=150)
    writes = [set_to(f"M-{n}", 0, urgent=n < 2) for n in range(150)]
    results = asyncio.run(seller.write(*writes))
    assert [result.correction_id for result in results[:2]] == ["c-M-0", "c-M-1"]
    assert len(seller.asked("/items/", "PATCH")) == 2
    assert {result.outcome for result in results} == {"accepted"}


@pytest.mark.parametrize(
    ("faults", "outcome", "left"),
    [
        (["429"], "accepted", 4),
        (["500"], "accepted", 4),
        (["500_after"], "accepted", 4),  # the same number twice is one number
        (["cut"], "accepted", 4),
        (["token_expired"], "accepted", 4),
        (["429"] * 6, "retry", 10),
        (["500_after"] * 6, "ambiguous", 4),
        (["timeout_after"] * 6, "ambiguous", 4),
    ],
)
def test_a_fault_has_one_of_three_results(faults: list[str], outcome: str, left: int) -> None:
    seller = shop()
    asyncio.run(seller.read(Dataset.LISTINGS))
    seller.account.wire.fail_next = list(faults)
    (result,) = asyncio.run(seller.write(set_to("M-0", 4)))
    assert (result.outcome, number(seller, "M-0")) == (outcome, left)
    assert "Atza" not in result.message


@pytest.mark.parametrize(
    ("where", "fault", "outcome", "left"),
    [
        ("/documents", "500", "retry", 10),
        ("/feeds", "429", "accepted", 3),
        ("/feeds", "500_after", "ambiguous", 3),  # the feed was taken and the answer lost
    ],
)
def test_a_feed_that_may_have_been_taken_is_settled_by_reading(where: str, fault: str, outcome: str, left: int) -> None:
    seller = shop(merchant=120)
    asyncio.run(seller.read(Dataset.LISTINGS))
    faults = iter([fault] if fault == "429" else [fault] * 6)

    def plant(request: httpx.Request) -> None:
        if request.method == "POST" and request.url.path.endswith(where):
            seller.account.wire.fail_next = [fault for fault in [next(faults, "")] if fault]

    seller.recorder.before = plant
    results = asyncio.run(seller.write(*[set_to(f"M-{n}", 3) for n in range(120)]))
    seller.clock.pass_by(minutes=5)
    assert {result.outcome for result in results} == {outcome}
    assert number(seller, "M-0") == left
    assert len(seller.asked("/feeds/2021-06-30/feeds", "POST")) <= 2


def test_a_feed_whose_report_comes_too_late_is_in_doubt_until_its_numbers_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds_api, "DONE_AFTER", timedelta(hours=2))  # hours were seen
    seller = shop(merchant=120)
    results = asyncio.run(seller.write(*[set_to(f"M-{n}", 3) for n in range(120)]))
    assert {(result.outcome, result.code) for result in results} == {("ambiguous", "feed_pending")}
    (named,) = {json.loads(result.answer)["feedId"] for result in results}
    assert f"Feed {named} was taken" in results[0].message
    assert number(seller, "M-0") == 10
    seller.clock.pass_by(minutes=120)
    assert number(seller, "M-0") == 3


def test_who_ships_cannot_be_learnt_so_nothing_is_sent() -> None:
    seller = shop()
    seller.account.wire.down = True
    (result,) = asyncio.run(seller.write(set_to("M-0", 4)))
    assert (result.outcome, result.code) == ("retry", "unreachable")
