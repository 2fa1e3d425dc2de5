from email.utils import parsedate_to_datetime
from random import Random

from invbi_pipeline.sandbox.contract import ItemSpec
from invbi_pipeline_tests.sandbox.square.till import Till


def test_without_the_token_nothing_is_answered(till: Till) -> None:
    answer = till.asking.ask("GET", "/v2/locations", headers={"authorization": "Bearer other"})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (401, "UNAUTHORIZED")
    till.account.wire.refuse = True
    assert till.asking.ask("GET", "/v2/locations").status_code == 401


def test_an_unpublished_limit_answers_429_and_refills_on_the_worlds_clock(till: Till) -> None:
    till.account.wire.hidden_rate = 2
    codes = [till.asking.ask("GET", "/v2/locations").status_code for _ in range(5)]
    assert codes == [200] * 4 + [429]
    limited = till.asking.ask("GET", "/v2/locations").json()["errors"][0]
    assert (limited["category"], limited["code"]) == ("RATE_LIMIT_ERROR", "RATE_LIMITED")
    till.clock.pass_s(0.5)
    assert till.asking.ask("GET", "/v2/locations").status_code == 200


def test_an_unknown_path_and_a_bad_version_get_squares_own_errors(till: Till) -> None:
    assert till.asking.ask("GET", "/v2/nothing").json()["errors"][0]["code"] == "NOT_FOUND"
    answer = till.asking.ask("GET", "/v2/locations", headers={"square-version": "latest"})
    assert answer.json()["errors"][0]["code"] == "INVALID_SQUARE_VERSION_FORMAT"


def test_a_body_that_is_not_json_is_named(till: Till) -> None:
    answer = till.asking.ask("POST", "/v2/orders/search", content=b"{", judge_request=False)
    assert answer.json()["errors"][0]["code"] == "EXPECTED_JSON_BODY"


def test_a_skewed_clock_shows_in_every_time_and_in_the_date_header(till: Till) -> None:
    till.account.wire.clock_skew_s = 300
    till.sell()
    answer = till.post("/inventory/changes/batch-retrieve", {})
    stated = answer.json()["changes"][0]["adjustment"]["occurred_at"]
    assert (parsedate_to_datetime(answer.headers["date"]) - till.clock.now()).total_seconds() == 300
    assert stated == "2026-09-01T09:06:00.000Z"
    assert till.changes(updated_after=stated) == []


def test_an_accepted_write_becomes_readable_after_the_visibility_lag(till: Till) -> None:
    till.account.wire.visibility_lag_s = 30
    assert till.set_count(4).json()["counts"][0]["quantity"] == "4"
    assert till.account.number(till.small, till.soho) == 4
    assert till.count(till.small, till.soho) == "10"
    till.clock.pass_s(30)
    assert till.count(till.small, till.soho) == "4"


def test_a_frozen_listing_accepts_everything_and_its_count_and_version_stand_still(till: Till) -> None:
    before = till.counts(catalog_object_ids=[till.small], location_ids=[till.soho])
    till.account.wire.frozen.add(till.small)
    till.clock.pass_s(5)
    till.sell(2)
    assert till.set_count(3).status_code == 200
    assert till.counts(catalog_object_ids=[till.small], location_ids=[till.soho]) == before
    assert len(till.changes()) == 1  # the sale is in the history all the same


def test_a_swallowed_write_is_accepted_and_lost_once(till: Till) -> None:
    till.account.wire.swallow_writes.add(till.small)
    assert till.set_count(3, key="a").status_code == 200
    assert till.count(till.small, till.soho) == "10"
    till.set_count(3, key="b")
    assert till.count(till.small, till.soho) == "3"


def test_a_rejected_write_names_its_field(till: Till) -> None:
    till.account.wire.reject_writes.add(till.small)
    answer = till.set_count(3)
    error = answer.json()["errors"][0]
    assert (answer.status_code, error["code"]) == (400, "INVALID_VALUE")
    assert error["field"] == "changes[0].physical_count.catalog_object_id"


def test_stale_reads_show_the_numbers_and_the_history_of_then(till: Till) -> None:
    till.account.wire.stale_since = till.clock.now()
    till.clock.pass_s(5)
    till.sell(4)
    assert till.count(till.small, till.soho) == "10"
    assert till.changes() == []
    assert len(till.orders()) == 1


def test_mass_zero_and_lost_tracking_are_what_the_reads_say(till: Till) -> None:
    till.account.wire.mass_zero = True
    assert {row["quantity"] for row in till.counts()} == {"0"}
    till.account.wire.mass_zero = False
    till.account.wire.untracked_all = True
    assert till.counts() == []
    found = till.post("/catalog/search", {"object_types": ["ITEM_VARIATION"]}).json()["objects"]
    assert {each["item_variation_data"]["track_inventory"] for each in found} == {False}


def test_a_truncated_feed_looks_complete_and_lacks_its_share(till: Till) -> None:
    for index in range(200):
        spec = ItemSpec(f"S{index}", "", f"Sock {index}", f"S{index}", {}, 3.0, "GBP")
        till.account.stock(till.account.add_item(spec), till.soho, 1)
    till.account.wire.truncate_share = 0.4
    answer = till.post("/inventory/counts/batch-retrieve", {"limit": 1000}).json()
    assert "cursor" not in answer
    assert 90 < len(answer["counts"]) < 150


def test_a_write_behind_a_lost_answer_has_happened(till: Till) -> None:
    till.account.wire.fail_next.append("timeout_after")
    assert till.set_count(3).status_code == 504
    assert till.count(till.small, till.soho) == "3"


def test_planted_troubles_have_squares_bodies(till: Till) -> None:
    for kind, status, code in (
        ("500", 500, "INTERNAL_SERVER_ERROR"),
        ("429", 429, "RATE_LIMITED"),
        ("token_expired", 401, "ACCESS_TOKEN_EXPIRED"),
        ("200_errors", 200, "INTERNAL_SERVER_ERROR"),
    ):
        till.account.wire.fail_next.append(kind)
        answer = till.asking.ask("GET", "/v2/locations")
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (status, code)


def test_the_same_seed_makes_the_same_account(till: Till) -> None:
    again = type(till.account)("till", till.clock, Random(7), "http://till.test", {})
    assert again.add_location("soho", "Soho") == till.soho
