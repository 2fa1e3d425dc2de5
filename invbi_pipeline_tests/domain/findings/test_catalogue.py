import re

import pytest

from invbi_pipeline.domain.findings import CATALOGUE, Acts, FindingInputs
from invbi_pipeline_tests.domain.findings.facts import candidates, evidence, found, one
from invbi_pipeline_tests.shared import shared


def test_the_catalogue_has_every_code_of_the_design_with_its_severity_and_who_acts() -> None:
    rows = re.findall(r"^\| ([a-z_]+) \|[^|]*\|[^|]*\| ([^|]+) \| ([^|]+) \|$", shared("findings.md").read_text(), re.MULTILINE)
    designed = {code: (re.findall("[a-z]+", severity)[0], acts.split()[0]) for code, severity, acts in rows}
    assert designed.pop("phantom_stock") == ("by", "ask")
    assert designed.pop("code") == ("severity", "acts")
    ours = {code: (str(kind.severity), str(kind.acts)) for code, kind in CATALOGUE.items() if code != "phantom_stock"}
    assert ours == designed


def test_every_action_is_one_sentence() -> None:
    for kind in CATALOGUE.values():
        assert kind.action.endswith(".")
        assert kind.action.count(".") == 1
        assert kind.blurb.endswith(".")
        assert kind.acts in Acts


def test_every_code_can_be_told_from_what_the_truth_half_noticed() -> None:
    told = found(FindingInputs(candidates=candidates(*({"code": code, "listing_key": code} for code in CATALOGUE))))
    assert sorted(told["code"]) == sorted(CATALOGUE)
    assert told["suggested_action"].null_count() == 0


def test_a_code_that_is_not_in_the_catalogue_is_refused() -> None:
    with pytest.raises(KeyError, match="surprise"):
        found(FindingInputs(candidates=candidates({"code": "surprise"})))


def test_an_unmapped_listing_has_the_units_it_sold() -> None:
    row = candidates({"code": "unmapped_listing", "evidence": '{"sold_units":4}'})
    assert one(FindingInputs(candidates=row), "unmapped_listing")["units"] == 4


@pytest.mark.parametrize("code", ["negative_on_hand", "ledger_untied"])
def test_the_units_of_a_finding_are_a_size_whichever_way_the_number_went(code: str) -> None:
    row = one(FindingInputs(candidates=candidates({"code": code, "units": -4, "evidence": '{"on_hand":-4}'})), code)
    assert (row["units"], evidence(row)["on_hand"]) == (4, -4)


def test_a_listing_whose_code_is_nearly_a_skus_is_told_once_with_what_it_sold() -> None:
    nobodys = {"code": "unmapped_listing", "evidence": '{"code":"mug red","sold_units":4}'}
    near = {"code": "near_miss_sku", "evidence": '{"code":"mug red","skus":["MUG-RED"]}'}
    told = found(FindingInputs(candidates=candidates(nobodys, near, {**nobodys, "listing_key": "L2"})))
    assert told.select("code", "listing_key", "units").rows() == [("near_miss_sku", "L1", 4), ("unmapped_listing", "L2", 4)]
    assert told["evidence"][0] == '{"code":"mug red","skus":["MUG-RED"],"sold_units":4}'
