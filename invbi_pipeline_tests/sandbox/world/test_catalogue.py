import random

from invbi_pipeline.sandbox.world.catalogue import Catalogue, build_catalogue, ean13


def _catalogue(skus: int = 2000) -> Catalogue:
    return build_catalogue(skus, random.Random(4))


def test_one_sku_in_twenty_is_a_kit_of_two_or_three_components() -> None:
    catalogue = _catalogue()
    assert (len(catalogue.products), len(catalogue.kits)) == (1900, 100)
    assert {len(kit.components) for kit in catalogue.kits.values()} == {2, 3}


def test_some_kits_hold_the_same_component_twice() -> None:
    assert any(2 in kit.components.values() for kit in _catalogue().kits.values())


def test_every_barcode_is_a_valid_ean_13_of_its_own() -> None:
    catalogue = _catalogue()
    barcodes = [catalogue.item(sku).barcode for sku in (*catalogue.products, *catalogue.kits)]
    assert len(set(barcodes)) == len(barcodes)
    for code in barcodes:
        digits = [int(digit) for digit in code]
        assert len(digits) == 13
        assert (sum(digits[::2]) + 3 * sum(digits[1::2])) % 10 == 0


def test_a_known_ean_gets_its_check_digit() -> None:
    assert ean13(1) == "2000000000015"


def test_no_two_skus_are_the_same_but_for_spelling_except_the_twins() -> None:
    catalogue = _catalogue()
    spelt = {sku: "".join(filter(str.isalnum, sku)).upper().lstrip("0") for sku in catalogue.products}
    assert len(catalogue.twins) == 4
    assert all(spelt[sku] == spelt[twin] for sku, twin in catalogue.twins.items())
    assert len(set(spelt.values())) == len(spelt) - 2


def test_some_skus_are_digits_with_leading_zeros() -> None:
    assert any(sku.isdigit() and sku.startswith("0") for sku in _catalogue().products)


def test_a_kit_explodes_into_its_components_and_a_product_into_itself() -> None:
    catalogue = _catalogue(60)
    kit, product = next(iter(catalogue.kits.values())), next(iter(catalogue.products))
    assert catalogue.explode(kit.sku) == kit.components
    assert catalogue.explode(product) == {product: 1}
    assert catalogue.explode("nothing") == {}
