from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from invbi_pipeline.store.state import State, open_state

_CONFIG = """
[business]
name = "x"
[systems.till]
platform = "square"
roles = ["counts", "sells"]
secrets.token = { env = "TILL" }
[systems.shop]
platform = "shopify"
account = "a.myshopify.com"
roles = ["sells"]
secrets.token = { env = "SHOP" }
"""


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """A Dagster instance in memory; what it must put on disk goes into the test's own folder."""
    folder = tmp_path / "dagster"
    folder.mkdir()
    with dg.DagsterInstance.ephemeral(tempdir=str(folder)) as made:
        yield made


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The configuration of a till and a shop, of whom nothing is read."""
    (tmp_path / "invbi.toml").write_text(_CONFIG, encoding="utf-8")
    return tmp_path / "invbi.toml"


@pytest.fixture
def state(config: Path) -> State:
    """Its state store."""
    return open_state("sqlite:///state.db", config.parent)
