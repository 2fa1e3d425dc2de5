from email.utils import parsedate_to_datetime

import pytest

from invbi_pipeline_tests.sandbox.amazon.seller import PLACE, Seller

_SELLERS = "/sellers/v1/marketplaceParticipations"


def test_a_seller_sees_the_marketplace_it_takes_part_in(seller: Seller) -> None:
    (found,) = seller.get(_SELLERS).json()["payload"]
    assert (found["marketplace"]["id"], found["participation"]["isParticipating"]) == (PLACE, True)


@pytest.mark.parametrize(
    ("changed", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"refresh_token": "wrong"}, 400, "invalid_grant"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
def test_wrong_credentials_get_the_login_services_own_errors(
    seller: Seller, changed: dict[str, str], status: int, error: str
) -> None:
    answer = seller.log_in(**changed)
    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_a_token_lives_an_hour_and_a_missing_one_is_refused(seller: Seller) -> None:
    seller.clock.pass_s(3_600)
    answer = seller.get(_SELLERS)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (403, "Unauthorized")
    assert "expired" in answer.json()["errors"][0]["details"]
    del seller.asking.headers["x-amz-access-token"]
    assert seller.get(_SELLERS).status_code == 403


def test_refused_credentials_get_neither_a_token_nor_an_answer(seller: Seller) -> None:
    seller.account.wire.refuse = True
    assert seller.log_in().status_code == 401
    assert seller.get(_SELLERS).status_code == 403


def test_a_usage_plan_is_enforced_and_stated_and_refills_on_the_worlds_clock(seller: Seller) -> None:
    answers = [seller.get_wrongly("/fba/inventory/v1/summaries") for _ in range(3)]
    assert [answer.headers["x-amzn-ratelimit-limit"] for answer in answers] == ["2.0"] * 3
    assert [answer.status_code for answer in answers] == [400, 400, 429]
    assert answers[2].json()["errors"][0]["code"] == "QuotaExceeded"
    seller.clock.pass_s(0.5)
    assert "payload" in seller.stock()
    seller.account.wire.enforce_limits = False
    assert all("payload" in seller.stock() for _ in range(5))
    assert seller.get_wrongly("/fba/inventory/v1/summaries").headers["x-amzn-ratelimit-limit"] == "100000.0"


def test_a_skewed_clock_shows_in_the_date_header_and_every_time(seller: Seller) -> None:
    seller.account.wire.clock_skew_s = -90
    seller.buy(seller.mug)
    seller.clock.pass_s(120)
    answer = seller.get("/orders/2026-01-01/orders", lastUpdatedAfter="2026-09-01T00:00:00Z")
    assert (parsedate_to_datetime(answer.headers["date"]) - seller.clock.now()).total_seconds() == -90
    assert answer.json()["orders"][0]["createdTime"] == "2026-09-01T08:59:30Z"
    assert answer.json()["lastUpdatedBefore"] == "2026-09-01T08:59:30Z"


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [("500", 500, "InternalFailure"), ("429", 429, "QuotaExceeded"), ("token_expired", 403, "Unauthorized")],
)
def test_planted_troubles_have_amazons_bodies_and_spare_the_login(seller: Seller, kind: str, status: int, code: str) -> None:
    seller.account.wire.fail_next.append(kind)
    assert seller.log_in().status_code == 200
    answer = seller.get(_SELLERS)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (status, code)


def test_an_unknown_path_gets_amazons_own_error(seller: Seller) -> None:
    assert seller.get("/orders/v9/orders").json()["errors"][0]["code"] == "NotFound"
