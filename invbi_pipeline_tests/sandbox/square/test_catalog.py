from invbi_pipeline.sandbox.contract import ItemSpec
from invbi_pipeline_tests.sandbox.square.till import Till


def test_locations_are_listed_with_the_inactive_ones(till: Till) -> None:
    till.account.add_location("old", "Old shop", active=False)
    found = till.asking.ask("GET", "/v2/locations").json()["locations"]
    assert [(each["name"], each["status"]) for each in found][-1] == ("Old shop", "INACTIVE")
    assert till.asking.ask("GET", f"/v2/locations/{till.soho}").json()["location"]["id"] == till.soho
    assert till.asking.ask("GET", "/v2/merchants/me").json()["merchant"]["main_location_id"] == till.soho


def test_variants_of_a_style_share_an_item_and_carry_sku_and_gtin(till: Till) -> None:
    (item,) = till.post("/catalog/search", {"object_types": ["ITEM"]}).json()["objects"]
    variations = item["item_data"]["variations"]
    assert {v["item_variation_data"]["sku"]: v["item_variation_data"]["upc"] for v in variations} == {
        "TS-S": "5012345678900",
        "TS-L": "5012345678917",
    }
    assert variations[0]["item_variation_data"]["item_id"] == item["id"]


def test_variations_come_only_when_they_are_asked_for(till: Till) -> None:
    assert {each["type"] for each in till.post("/catalog/search", {}).json()["objects"]} == {"ITEM"}
    listed = till.asking.ask("GET", "/v2/catalog/list", params={"types": "ITEM_VARIATION"}).json()["objects"]
    assert {each["id"] for each in listed} == {till.small, till.large}


def test_begin_time_is_exclusive_and_a_rename_moves_it(till: Till) -> None:
    newest = till.post("/catalog/search", {"object_types": ["ITEM_VARIATION"]}).json()["objects"][0]["updated_at"]
    query = {"object_types": ["ITEM_VARIATION"], "begin_time": newest}
    assert "objects" not in till.post("/catalog/search", query).json()
    till.account.rename(till.small, sku="TS-SMALL", barcode="")
    (changed,) = till.post("/catalog/search", query).json()["objects"]
    assert changed["item_variation_data"]["sku"] == "TS-SMALL"
    assert "upc" not in changed["item_variation_data"]


def test_a_deleted_variation_is_shown_only_on_request_and_counts_no_more(till: Till) -> None:
    till.account.set_status(till.small, "deleted")
    query = {"object_types": ["ITEM_VARIATION"]}
    assert [each["id"] for each in till.post("/catalog/search", query).json()["objects"]] == [till.large]
    everything = till.post("/catalog/search", {**query, "include_deleted_objects": True}).json()["objects"]
    assert {each["id"]: each["is_deleted"] for each in everything} == {till.small: True, till.large: False}
    assert till.counts() == []


def test_an_inactive_variation_is_not_sellable_and_an_untracked_one_has_no_count(till: Till) -> None:
    till.account.set_status(till.large, "inactive")
    gift = till.account.add_item(ItemSpec("GIFT", "", "Gift wrap", "GIFT", {}, 2.0, "GBP", tracked=False))
    found = {
        each["id"]: each["item_variation_data"]
        for each in till.post("/catalog/search", {"object_types": ["ITEM_VARIATION"]}).json()["objects"]
    }
    assert found[till.large]["sellable"] is False
    assert found[gift]["track_inventory"] is False
    till.account.stock(gift, till.soho, 3)
    assert till.counts(catalog_object_ids=[gift]) == []


def test_an_exact_query_finds_a_sku(till: Till) -> None:
    query = {"exact_query": {"attribute_name": "sku", "attribute_value": "TS-L"}}
    found = till.post("/catalog/search", {"object_types": ["ITEM_VARIATION"], "query": query}).json()["objects"]
    assert [each["id"] for each in found] == [till.large]


def test_the_counts_of_two_thousand_items_in_three_places_are_read_by_the_page(till: Till) -> None:
    camden = till.account.add_location("camden", "Camden")
    for index in range(2_000):
        key = till.account.add_item(
            ItemSpec(f"S{index}", "", f"Sock {index}", f"S{index // 5}", {"Size": str(index % 5)}, 3.0, "GBP")
        )
        for place in (till.soho, till.leeds, camden):
            till.account.stock(key, place, index % 30)
    till.asking.model = None  # the judge is slower than the emulator
    rows, cursor, pages = 0, "", 0
    while rows == 0 or cursor:
        answer = till.post("/inventory/counts/batch-retrieve", {"limit": 1000, **({"cursor": cursor} if cursor else {})}).json()
        rows, cursor, pages = rows + len(answer["counts"]), answer.get("cursor", ""), pages + 1
    assert (rows, pages) == (6_002, 7)
