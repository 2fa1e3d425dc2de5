import gzip
import json
from typing import Any

import httpx
import pytest

from invbi_pipeline.sandbox.contract import ItemSpec
from invbi_pipeline_tests.sandbox.amazon.seller import PLACE, Seller
from invbi_pipeline_tests.shared import shared

_FEEDS, _REPORTS = "/feeds/2021-06-30", "/reports/2021-06-30"
_TYPE = "application/json; charset=UTF-8"


def _put(seller: Seller, url: str, content: bytes, kind: str = _TYPE) -> httpx.Response:
    return seller.asking.ask("PUT", url, content=content, headers={"content-type": kind}, judge_request=False)


def _submit(seller: Seller, messages: list[dict[str, Any]]) -> str:
    header = {"sellerId": "A2SELLER", "version": "2.0"}
    document = seller.post(f"{_FEEDS}/documents", {"contentType": _TYPE}).json()
    assert _put(seller, document["url"], json.dumps({"header": header, "messages": messages}).encode()).status_code == 200
    body = {"feedType": "JSON_LISTINGS_FEED", "marketplaceIds": [PLACE], "inputFeedDocumentId": document["feedDocumentId"]}
    feed_id: str = seller.post(f"{_FEEDS}/feeds", body).json()["feedId"]
    return feed_id


def _message(number: int, sku: str, quantity: int) -> dict[str, Any]:
    value = [{"fulfillment_channel_code": "DEFAULT", "quantity": quantity}]
    patch = {"op": "merge", "path": "/attributes/fulfillment_availability", "value": value}
    return {"messageId": number, "sku": sku, "operationType": "PATCH", "productType": "PRODUCT", "patches": [patch]}


def _result(seller: Seller, feed_id: str) -> dict[str, Any]:
    feed = seller.get(f"{_FEEDS}/feeds/{feed_id}").json()
    document = seller.get(f"{_FEEDS}/documents/{feed['resultFeedDocumentId']}").json()
    report: dict[str, Any] = json.loads(gzip.decompress(seller.get(document["url"]).content))
    return report


def _report(seller: Seller, kind: str) -> list[dict[str, str]]:
    report_id = seller.post(f"{_REPORTS}/reports", {"reportType": kind, "marketplaceIds": [PLACE]}).json()["reportId"]
    seller.clock.pass_s(30)
    found = seller.get(f"{_REPORTS}/reports/{report_id}").json()
    assert found["processingStatus"] == "DONE"
    document = seller.get(f"{_REPORTS}/documents/{found['reportDocumentId']}").json()
    lines = gzip.decompress(seller.get(document["url"]).content).decode().splitlines()
    return [dict(zip(lines[0].split("\t"), line.split("\t"), strict=True)) for line in lines[1:]]


def test_a_feed_waits_runs_and_applies_message_by_message(seller: Seller) -> None:
    feed_id = _submit(seller, [_message(1, seller.mug, 3), _message(2, "NOWHERE", 3), _message(3, seller.cup, 8)])
    seen = []
    for seconds in (0, 15, 45):
        seller.clock.pass_s(seconds)
        seen.append(seller.get(f"{_FEEDS}/feeds/{feed_id}").json()["processingStatus"])
    assert seen == ["IN_QUEUE", "IN_PROGRESS", "DONE"]
    report = _result(seller, feed_id)
    assert (report["summary"]["messagesAccepted"], report["summary"]["messagesInvalid"]) == (2, 1)
    assert [(issue["messageId"], issue["sku"]) for issue in report["issues"]] == [(2, "NOWHERE")]
    assert (seller.quantity(seller.mug), seller.quantity(seller.cup)) == (3, 8)


def test_a_processing_report_follows_the_published_schema(seller: Seller) -> None:
    import jsonschema

    schema = json.loads(shared("specs/amazon-sp-api/schemas/feeds/listings-feed-processing-report-schema-v2.json").read_text())
    feed_id = _submit(seller, [_message(1, seller.mug, 3), _message(2, "NOWHERE", 3)])
    seller.clock.pass_s(60)
    jsonschema.validate(_result(seller, feed_id), schema)


@pytest.mark.parametrize(
    "content",
    [b"{", b'{"header": {"sellerId": "OTHER", "version": "2.0"}, "messages": []}', b'{"messages": 3}'],
)
def test_a_feed_that_cannot_be_read_is_fatal_and_changes_nothing(seller: Seller, content: bytes) -> None:
    document = seller.post(f"{_FEEDS}/documents", {"contentType": _TYPE}).json()
    _put(seller, document["url"], content)
    body = {"feedType": "JSON_LISTINGS_FEED", "marketplaceIds": [PLACE], "inputFeedDocumentId": document["feedDocumentId"]}
    feed_id = seller.post(f"{_FEEDS}/feeds", body).json()["feedId"]
    seller.clock.pass_s(60)
    assert seller.get(f"{_FEEDS}/feeds/{feed_id}").json()["processingStatus"] == "FATAL"
    assert _result(seller, feed_id)["summary"]["messagesAccepted"] == 0


def test_five_listings_feeds_in_five_minutes_and_no_more(seller: Seller) -> None:
    for index in range(5):
        _submit(seller, [_message(1, seller.mug, index)])
    document = seller.post(f"{_FEEDS}/documents", {"contentType": _TYPE}).json()
    body = {"feedType": "JSON_LISTINGS_FEED", "marketplaceIds": [PLACE], "inputFeedDocumentId": document["feedDocumentId"]}
    assert seller.post(f"{_FEEDS}/feeds", body).status_code == 429
    seller.clock.pass_s(60)
    assert seller.post(f"{_FEEDS}/feeds", body).status_code == 202


def test_a_presigned_address_lives_five_minutes_and_wants_its_content_type(seller: Seller) -> None:
    document = seller.post(f"{_FEEDS}/documents", {"contentType": _TYPE}).json()
    assert _put(seller, document["url"], b"{}", "text/plain").status_code == 403
    seller.clock.pass_s(300)
    late = _put(seller, document["url"], b"{}")
    assert late.status_code == 403
    assert "Request has expired" in late.text


def test_the_listings_report_holds_every_listing_with_its_number_where_the_merchant_fulfils(seller: Seller) -> None:
    seller.buy(seller.mug, 2)
    rows = {row["seller-sku"]: row for row in _report(seller, "GET_MERCHANT_LISTINGS_ALL_DATA")}
    assert (rows[seller.mug]["quantity"], rows[seller.mug]["pending-quantity"]) == ("8", "2")
    assert (rows[seller.lamp]["quantity"], rows[seller.lamp]["fulfillment-channel"]) == ("", "AMAZON_EU")
    assert rows[seller.cup]["product-id"] == "5012345678900"


def test_a_report_holds_the_numbers_of_when_it_was_begun(seller: Seller) -> None:
    report_id = seller.post(
        f"{_REPORTS}/reports", {"reportType": "GET_MERCHANT_LISTINGS_ALL_DATA", "marketplaceIds": [PLACE]}
    ).json()["reportId"]
    seller.clock.pass_s(20)
    seller.buy(seller.mug, 5)
    seller.clock.pass_s(20)
    found = seller.get(f"{_REPORTS}/reports/{report_id}").json()
    document = seller.get(f"{_REPORTS}/documents/{found['reportDocumentId']}").json()
    text = gzip.decompress(seller.get(document["url"]).content).decode()
    (row,) = [line for line in text.splitlines() if line.split("\t")[3] == seller.mug]
    assert row.split("\t")[5] == "10"


def test_the_fba_report_is_not_made_anew_within_half_an_hour(seller: Seller) -> None:
    first = _report(seller, "GET_FBA_MYI_UNSUPPRESSED_INVENTORY_DATA")
    seller.buy(seller.lamp, 2)
    assert _report(seller, "GET_FBA_MYI_UNSUPPRESSED_INVENTORY_DATA") == first
    seller.clock.pass_s(1_800)
    (row,) = _report(seller, "GET_FBA_MYI_UNSUPPRESSED_INVENTORY_DATA")
    assert (row["afn-fulfillable-quantity"], row["afn-reserved-quantity"], row["afn-total-quantity"]) == ("5", "2", "7")


def test_a_queued_report_can_be_cancelled(seller: Seller) -> None:
    body = {"reportType": "GET_MERCHANT_LISTINGS_ALL_DATA", "marketplaceIds": [PLACE]}
    report_id = seller.post(f"{_REPORTS}/reports", body).json()["reportId"]
    assert seller.asking.ask("DELETE", f"{_REPORTS}/reports/{report_id}").status_code == 200
    seller.clock.pass_s(60)
    assert seller.get(f"{_REPORTS}/reports/{report_id}").json()["processingStatus"] == "CANCELLED"
    assert len(seller.get(f"{_REPORTS}/reports").json()["reports"]) == 1


def test_a_report_holds_fifty_thousand_listings_and_can_lack_a_share(seller: Seller) -> None:
    for index in range(50_000):
        key = seller.account.add_item(ItemSpec(f"S{index}", "", f"Sock {index}", "S", {}, 3.0, "GBP"))
        seller.account.stock(key, "", index % 40)
    assert len(_report(seller, "GET_MERCHANT_LISTINGS_ALL_DATA")) == 50_003
    seller.account.wire.truncate_share = 0.5
    assert 24_000 < len(_report(seller, "GET_MERCHANT_LISTINGS_ALL_DATA")) < 26_000


def test_the_usage_plans_are_the_published_ones() -> None:
    import re

    from invbi_pipeline.sandbox.amazon.usage import USAGE

    published: dict[str, tuple[float, float]] = {}
    for path in shared("specs/amazon-sp-api/models").rglob("*.json"):
        for operations in json.loads(path.read_text())["paths"].values():
            for operation in operations.values():
                if isinstance(operation, dict):
                    found = re.search(r"\|\s*([\d.]+)\s*\|\s*([\d.]+)\s*\|", operation.get("description", ""))
                    if found:
                        published[operation["operationId"]] = (float(found[1]), float(found[2]))
    ours = {name: plan for name, plan in USAGE.items() if name in published and name not in ("getOrder", "JSON_LISTINGS_FEED")}
    assert {name: published[name] for name in ours} == ours
    assert len(ours) == len(USAGE) - 2
