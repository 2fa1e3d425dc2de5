"""The resource: what it shows of itself, what a missing secret says, and that a run closes what it opened."""

from pathlib import Path

import dagster as dg
import pytest

from invbi_pipeline.definitions import SAMPLE
from invbi_pipeline.defs.resources import Invbi
from invbi_pipeline.errors import TransientError
from invbi_pipeline.flows.context import Context

_VARIABLES = ("SQUARE_TOKEN", "SHOPIFY_TOKEN", "AMAZON_CLIENT_ID", "AMAZON_CLIENT_SECRET", "AMAZON_REFRESH_TOKEN")


def test_it_shows_a_path_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQUARE_TOKEN", "sq-hush-hush")
    assert repr(Invbi(config_path=str(SAMPLE))) == f"Invbi(config_path={str(SAMPLE)!r})"


def test_every_missing_secret_is_named_before_anything_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in _VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(dg.Failure) as trouble:
        Invbi(config_path=str(SAMPLE)).call(lambda ctx: ctx.channels)
    said = str(trouble.value.description)
    assert all(variable in said for variable in _VARIABLES)
    assert trouble.value.allow_retries is False


@pytest.fixture
def invbi(tmp_path: Path) -> Invbi:
    """One system that reads files: it opens without secrets."""
    path = tmp_path / "invbi.toml"
    lines = (
        '[business]\nname = "x"',
        '[systems.wms]\nplatform = "files"\nroles = ["counts"]',
        '[systems.wms.files.stock]\npath = "*.csv"\ncolumns = { listing_key = "a", quantity = "b" }',
    )
    path.write_text("\n".join(lines), encoding="utf-8")
    return Invbi(config_path=str(path))


def test_the_steps_of_a_run_share_one_context(invbi: Invbi) -> None:
    with invbi.yield_for_execution(dg.build_init_resource_context()) as opened:
        first: Context = opened.call(lambda ctx: ctx)
        assert opened.call(lambda ctx: ctx) is first
    with invbi.yield_for_execution(dg.build_init_resource_context()) as opened:
        assert opened.call(lambda ctx: ctx) is not first


def test_an_error_raised_on_purpose_becomes_a_failure_with_its_words(invbi: Invbi) -> None:
    def busy(ctx: Context) -> None:
        raise TransientError("The warehouse is held by another process.")

    with (
        invbi.yield_for_execution(dg.build_init_resource_context()) as opened,
        pytest.raises(dg.Failure, match="held by another process"),
    ):
        opened.call(busy)
