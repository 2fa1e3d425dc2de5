from invbi_pipeline.domain.findings import FindingInputs
from invbi_pipeline_tests.domain.findings.causes.drifted import LOWERED, causes, told
from invbi_pipeline_tests.domain.findings.facts import effects, kits, mappings, points

LISTED = mappings({}, {"listing_key": "K1", "sku": "SET"}, {"listing_key": "P1", "units": 3})


def test_a_kit_whose_parts_the_channel_lowers_by_itself() -> None:
    sold = effects({"listing_key": "K1", "units": -1})
    inputs = FindingInputs(points=points(LOWERED), effects=sold, mappings=LISTED, kits=kits({"quantity": 3}))
    assert causes(inputs) == [("kit", -3, ["o1"])]
    assert "order o1 of 09:07 UTC sold the kit K1, and the channel lowered its parts by itself" in told(inputs)["sentence"]


def test_a_kit_with_other_parts_or_of_another_place_explains_nothing() -> None:
    sold = effects({"listing_key": "K1", "units": -3}, {"effect_id": "b", "listing_key": "K1", "units": -1, "location": "leeds"})
    flat = kits({"quantity": 2}, {"sku": "MUG-BLUE", "quantity": 3})
    assert causes(FindingInputs(points=points(LOWERED), effects=sold, mappings=LISTED, kits=flat)) == [("foreign", -3, [])]


def test_a_pack_that_was_sold_and_counted_in_singles() -> None:
    packed = mappings({"units": 4})
    inputs = FindingInputs(points=points(LOWERED), effects=effects({"units": -1}), mappings=packed)
    assert causes(inputs) == [("pack", -3, ["o1"])]


def test_a_pack_that_lowered_the_single_item_too() -> None:
    sold = effects({"listing_key": "P1", "units": -1})
    assert causes(FindingInputs(points=points(LOWERED), effects=sold, mappings=LISTED)) == [("pack", -3, ["o1"])]
