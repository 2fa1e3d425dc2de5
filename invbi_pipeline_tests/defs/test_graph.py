"""The shape of the asset graph: for the sample configuration to the letter, for the demo's within what eyes can take in."""

from pathlib import Path

import dagster as dg
import pytest

from invbi_pipeline.definitions import SAMPLE, build
from invbi_pipeline.defs.audits import PLACES
from invbi_pipeline.defs.names import EQUALITY, JOB
from invbi_pipeline.sandbox import presets
from invbi_pipeline.store.models import audits, models
from invbi_pipeline_tests.defs.graph import described, snapshot
from invbi_pipeline_tests.sandbox.world.memory import build as small_world


@pytest.fixture(scope="module")
def sample() -> dg.Definitions:
    return build(SAMPLE)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    folder = tmp_path_factory.mktemp("demo")
    return build(presets.write_config(small_world(folder, skus=20, history_days=1, calm=True), folder))


def test_the_graph_of_the_sample_is_the_agreed_one(sample: dg.Definitions) -> None:
    assert described(sample) == snapshot()


def test_the_demos_graph_stays_readable(demo: dg.Definitions) -> None:
    assert 40 <= len(described(demo)) <= 60


def test_every_asset_says_what_it_is_and_whose(demo: dg.Definitions) -> None:
    for node in demo.resolve_asset_graph().asset_nodes:
        assert node.group_name != "default", node.key
        assert node.description, node.key
        assert node.owners, node.key
        assert node.kinds, node.key


def test_every_sql_model_and_every_audit_is_in_the_graph(sample: dg.Definitions) -> None:
    graph = described(sample)
    assert {model.table.replace(".", "/") for model in models()} <= set(graph)
    checks = {check.removeprefix("!") for node in graph.values() for check in node["checks"]}
    assert {audit.name.removeprefix("audit_") for audit in audits()} <= checks


def test_every_place_of_an_audit_names_one_that_exists() -> None:
    assert set(PLACES) == {audit.name for audit in audits()}


def test_what_blocks_stands_above_the_push(sample: dg.Definitions) -> None:
    graph = sample.resolve_asset_graph()
    above = graph.get_ancestor_asset_keys(dg.AssetKey(["act", "push"]))
    blocking = [key for key in graph.asset_check_keys if graph.get(key).blocking]
    assert {key.name for key in blocking} >= {"gap_identity", "unknown_never_pushed", "counted_never_set", "offers_whole"}
    assert all(key.asset_key in above for key in blocking)


def test_the_job_holds_every_asset_and_every_check_in_one_process(sample: dg.Definitions) -> None:
    job = sample.resolve_job_def(JOB)
    graph = sample.resolve_asset_graph()
    assert job.asset_layer.executable_asset_keys == graph.get_all_asset_keys()
    assert set(job.asset_layer.asset_graph.asset_check_keys) == set(graph.asset_check_keys) - {EQUALITY}  # it has its own job
    assert job.executor_def is dg.in_process_executor


def test_ingest_assets_have_a_freshness_policy(demo: dg.Definitions) -> None:
    nodes = [node for node in demo.resolve_asset_graph().asset_nodes if node.group_name == "ingest"]
    assert len(nodes) == 16
    assert all(node.freshness_policy is not None for node in nodes)


def test_a_systems_name_may_hold_what_a_step_name_may_not(tmp_path: Path) -> None:
    text = SAMPLE.read_text(encoding="utf-8").replace("systems.shop", 'systems."my-shop.uk"')
    path = tmp_path / "invbi.toml"
    path.write_text(text, encoding="utf-8")
    assert "my-shop.uk/stock" in described(build(path))
