"""`invbi map`: what is in doubt, what people say of it, and that the next run maps by it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from invbi_pipeline.sandbox.world.faults.planted import Planted
from invbi_pipeline_tests.cli.typed import Said, invbi
from invbi_pipeline_tests.rehearsal import Rehearsal, rehearsal

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """A retailer with four listings whose codes were typed otherwise, and one that is nothing we know."""
    with rehearsal(tmp_path_factory.mktemp("cli_map"), skus=40, history_days=2, faults=False) as stage:
        for label in ("near_miss_sku",) * 4 + ("unmapped_listing", "duplicate_sku"):
            stage.world.planter.plant(label, platform="shopify")
        stage.run()
        yield stage


@pytest.fixture
def config(stage: Rehearsal) -> Path:
    return stage.path


def planted(stage: Rehearsal, row: int) -> Planted:
    return stage.world.planter.planted[row]


def doubts(config: Path) -> dict[str, dict[str, str]]:
    """Return what `invbi map` lists, by listing key."""
    return {row["listing_key"]: row for row in invbi("map", "--config", config, "--format", "csv").table()}


def versions(config: Path, listing: str) -> list[tuple[str, str, str]]:
    rows = invbi("map", "show", listing, "--config", config, "--format", "json").lines()
    return [(row["sku"], row["how"], row["decision"]) for row in rows]


def test_what_is_in_doubt_is_listed_with_the_likeliest_sku_and_why(stage: Rehearsal, config: Path) -> None:
    wrong, listed = planted(stage, 0), doubts(config)
    row = listed[wrong.listing_key]
    assert (row["sku"], float(row["confidence"]) > 0.7) == (wrong.sku, True)
    assert row["doubt"] == "near_miss_sku"
    assert listed[planted(stage, 4).listing_key]["sku"] == ""
    assert wrong.sku in invbi("map", "--config", config).out


def test_what_a_person_accepts_is_mapped_by_the_next_run(stage: Rehearsal, config: Path) -> None:
    wrong = planted(stage, 1)
    code = stage.world.business.systems[wrong.system].listings[wrong.listing_key].raw_sku
    said = invbi("map", "accept", wrong.system, code, wrong.sku, "--units", 2, "--by", "ana", "--config", config)
    assert (said.code, said.err.strip().endswith("the next run maps it so")) == (0, True)
    stage.run()
    assert versions(config, wrong.listing_key) == [(wrong.sku, "person", "accepted")]
    assert wrong.listing_key not in doubts(config)
    assert "ana" in invbi("map", "show", code, "--config", config).out


def test_a_findings_id_accepts_its_likeliest_sku(stage: Rehearsal, config: Path) -> None:
    wrong = planted(stage, 2)
    assert invbi("map", "accept", doubts(config)[wrong.listing_key]["finding_id"], "--config", config).code == 0
    assert stage_says(stage, wrong) == [wrong.sku]


def stage_says(stage: Rehearsal, wrong: Planted) -> list[str]:
    stage.run()
    return [sku for sku, how, _ in versions(stage.path, wrong.listing_key) if how == "person"]


def test_what_a_person_rejects_is_suggested_no_more(stage: Rehearsal, config: Path) -> None:
    wrong = planted(stage, 3)
    assert invbi("map", "reject", wrong.system, wrong.listing_key, wrong.sku, "--config", config).code == 0
    stage.run()
    assert doubts(config)[wrong.listing_key]["sku"] != wrong.sku


def test_every_listing_of_a_code_that_is_typed_twice_is_in_doubt_with_its_title(stage: Rehearsal, config: Path) -> None:
    twice, listed = planted(stage, 5), doubts(config)
    for key in (twice.listing_key, *twice.other_keys):
        assert "duplicate_sku" in listed[key]["doubt"]
        assert listed[key]["title"]


def refused(said: Said) -> str:
    assert said.code == 2, said
    assert "Nothing was changed" in said.err
    assert "to mend it" in said.err
    return said.err


def test_what_is_not_known_is_refused_with_how_to_mend_it(stage: Rehearsal, config: Path) -> None:
    wrong = planted(stage, 0)
    key, sku = wrong.listing_key, wrong.sku
    assert "one of" in refused(invbi("map", "accept", "shopyfi", key, sku, "--config", config))
    assert "'nothing'" in refused(invbi("map", "accept", wrong.system, "nothing", sku, "--config", config))
    assert sku in refused(invbi("map", "accept", wrong.system, key, f"{sku}X", "--config", config))
    for units in (0, 10_001, 10**20):
        assert "--units" in refused(invbi("map", "accept", wrong.system, key, sku, "--units", units, "--config", config))
    assert "--since" in refused(invbi("map", "accept", wrong.system, key, sku, "--since", "2099-01-01", "--config", config))
    assert f"{sku}X" in refused(invbi("map", "reject", wrong.system, key, f"{sku}X", "--config", config))
    assert "add it" in refused(invbi("map", "accept", wrong.system, key, "--config", config))
    assert "SKU" in refused(invbi("map", "accept", doubts(config)[planted(stage, 4).listing_key]["finding_id"], "-c", config))
    shown = invbi("map", "show", "nowhere", "--config", config)
    assert (shown.code, "'nowhere'" in shown.err, "changed" in shown.err) == (2, True, False)
