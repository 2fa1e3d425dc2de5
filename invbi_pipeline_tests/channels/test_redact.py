import base64
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest

from invbi_pipeline.channels.redact import ADDRESS, HIDDEN, Redactor, drop_personal, is_personal
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
    ("text", "hidden"),
    [
        ("buyer jane@doe.com.", "buyer [e-mail]."),
        ("<mailto:jane.o'neil+x@shop.doe.co.uk>", "<mailto:[e-mail]>"),
        ("/orders?email=jane%40doe.com&page=2", "/orders?email=[e-mail]&page=2"),
        ("Jané@döe.de, 李@例子.中国", "[e-mail], [e-mail]"),
    ],
)
def test_an_e_mail_address_is_hidden(text: str, hidden: str) -> None:
    assert Redactor()(text) == hidden


def test_an_answer_stays_json_when_an_address_is_taken_out_of_it() -> None:
    said = json.dumps({"message": "buyer:\njané@döe.de\tjane@doe.com", "sku": "A-1"})
    assert json.loads(Redactor()(said)) == {"message": f"buyer:\n{ADDRESS}\t{ADDRESS}", "sku": "A-1"}


def test_a_secret_with_an_address_in_it_is_hidden_as_a_secret() -> None:
    assert Redactor(["me@doe.com:word"])("x me@doe.com:word y") == f"x {HIDDEN} y"


@pytest.mark.parametrize(
    "text",
    ["TEE-1 @ soho", "MUG@2.5", "gid://shopify/InventoryItem/44005215683084", "5012345678900", "+49 30 1234567", "x@y", "@here"],
)
def test_what_names_a_thing_of_ours_is_no_address_and_a_long_number_no_telephone(text: str) -> None:
    assert Redactor()(text) == text


def test_a_long_text_without_an_address_takes_no_long_time() -> None:
    text = "@" + "a" * 20_000
    assert Redactor()(text) == text


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
