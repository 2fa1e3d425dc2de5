import base64
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest

from invbi_pipeline.channels.redact import HIDDEN, Redactor, drop_personal, is_personal
from invbi_pipeline_tests.shared import shared


@pytest.mark.parametrize("spelling", [lambda s: s, lambda s: quote(s, safe=""), lambda s: base64.b64encode(s.encode()).decode()])
def test_a_secret_is_hidden_in_every_spelling(spelling: Callable[[str], str]) -> None:
    secret = "pa$$ word/+"
    assert Redactor([secret])(f"x {spelling(secret)} y") == f"x {HIDDEN} y"


@pytest.mark.parametrize(
    "text",
    [
        "shpat_0123456789abcdef0123456789abcdef",
        "Authorization: Bearer abc.def.ghi",
        "https://files.test/a?X-Amz-Signature=deadbeef&b=1",
        '{"access_token":"Atza|IwEBIexample"}',
        '{"refresh_token": "whatever-it-is"}',
        "X-Shopify-Access-Token: whatever-it-is",
    ],
)
def test_what_looks_like_a_secret_is_hidden_although_nobody_told(text: str) -> None:
    hidden = Redactor()(text)
    assert HIDDEN in hidden
    assert not any(part in hidden for part in ("abc.def", "deadbeef", "IwEBI", "0123456789", "whatever"))


def test_a_secret_of_three_letters_would_blank_ordinary_words_and_is_left() -> None:
    assert Redactor(["abc"])("abc") == "abc"


@pytest.mark.parametrize(
    "name",
    [
        *(
            "customer",
            "customer_id",
            "Customer Name",
            "buyer-email",
            "buyerInfo",
            "email",
            "contact_email",
            "phone",
            "Phone Number",
        ),
        *("shippingAddress", "billing_address", "ship-postal-code", "ship-city", "recipient-name", "first_name", "lastName"),
        *("note", "note_attributes", "client_ip", "browser_ip", "zip", "ShipTo", "bill-to-party", "gift-message-text"),
    ],
)
def test_names_of_buyers_fields_are_known_in_every_spelling(name: str) -> None:
    assert is_personal(name)


@pytest.mark.parametrize(
    "name",
    [
        *("id", "name", "title", "sku", "location_id", "quantity", "ship-service-level", "fulfillment_status", "order_id"),
        *("shipped", "shipments", "barcode", "price", "currency", "source_name", "assignedLocation", "reference", "description"),
    ],
)
def test_names_of_stock_and_orders_are_kept(name: str) -> None:
    assert not is_personal(name)


def test_a_published_order_loses_its_buyer_and_keeps_its_lines() -> None:
    order = json.loads(shared("data/payloads/shopify/order.json").read_text(encoding="utf-8"))
    kept = json.dumps(drop_personal(order))
    for trace in ("bob.norman", "Norman", "hostmail", "Chestnut", "40202", "555-625", "0.0.0.0"):
        assert trace not in kept
    assert '"sku": "IPOD2008GREEN"' in kept


def test_the_input_is_not_changed() -> None:
    order = {"email": "a@b.example", "lines": [{"sku": "A", "customer": {"x": 1}}]}
    assert drop_personal(order) == {"lines": [{"sku": "A"}]}
    assert order["email"] == "a@b.example"
