"""Every platform of the registry opens by its row."""

import random
from pathlib import Path

import pytest

from invbi_pipeline.channels.registry import facts_of, open_channel
from invbi_pipeline.config import SystemConfig
from invbi_pipeline_tests.channels.files.exports import Noon

FILES = {"stock": {"path": "x.csv", "columns": {"listing_key": "code", "quantity": "qty"}}}


@pytest.mark.parametrize("platform", ["square", "amazon", "files"])
def test_a_platform_opens_with_the_secrets_it_states(platform: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    purposes = facts_of(platform).secrets
    for purpose in purposes:
        monkeypatch.setenv(purpose.upper(), "a secret of some length")
    raw = {"platform": platform, "roles": ["sells"], "account": "A2SELLER", "marketplace": "A1F83G8C2ARO7P"}
    secrets = {purpose: {"env": purpose.upper()} for purpose in purposes}
    files = FILES if platform == "files" else {}
    config = SystemConfig.model_validate({**raw, "secrets": secrets, "files": files})
    channel = open_channel("one", config, Noon(), random.Random(1), folder=tmp_path)
    assert channel.facts.platform == platform
    assert channel.system == "one"
