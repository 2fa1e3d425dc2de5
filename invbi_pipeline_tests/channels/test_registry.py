import random
from pathlib import Path
from typing import Any

import pytest

from invbi_pipeline.channels.protocol import Channel
from invbi_pipeline.channels.registry import PLATFORMS, facts_of, open_channel, secrets_of
from invbi_pipeline.config import PLATFORM_KEYS, Secret, SystemConfig
from invbi_pipeline.domain.words import Role
from invbi_pipeline.errors import ConfigError
from invbi_pipeline_tests.sandbox.serving import HandClock


def system(platform: str, **options: Any) -> SystemConfig:
    secrets = {purpose: Secret(env=f"T_{purpose.upper()}") for purpose in facts_of(platform).secrets}
    return SystemConfig(platform=platform, roles=(Role.SELLS,), **{"secrets": secrets, **options})


def opened(config: SystemConfig) -> Channel:
    return open_channel("uk", config, HandClock(), random.Random(1), folder=Path())


@pytest.mark.parametrize("platform", sorted(set(PLATFORMS) - {"files"}))
def test_every_platform_opens_with_its_secrets_and_states_its_facts(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for purpose in facts_of(platform).secrets:
        monkeypatch.setenv(f"T_{purpose.upper()}", f"value-{purpose}")
    channel = opened(system(platform, account="acct", marketplace="A1F83G8C2ARO7P", base_url="http://x.test"))
    assert (channel.system, channel.facts.platform) == ("uk", platform)


def test_an_unknown_platform_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="amazon, files, shopify, square"):
        opened(SystemConfig(platform="shopfy", roles=(Role.SELLS,)))


def test_every_missing_secret_is_named_at_once_and_before_anything_is_called() -> None:
    config = system("amazon", secrets={"client_id": Secret(env="T_UNSET_ID")}, account="s", marketplace="m")
    with pytest.raises(ConfigError) as caught:
        opened(config)
    places = {where for where, _, _ in caught.value.problems}
    assert {"T_UNSET_ID", "systems.uk.secrets.client_secret", "systems.uk.secrets.refresh_token"} == places


def test_a_webhooks_secret_may_be_left_out_and_is_used_once_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("T_TOKEN", "value")
    named = system("shopify", account="a.myshopify.com")
    assert "webhook_secret" in named.secrets
    assert secrets_of("uk", named) == {"token": "value"}
    monkeypatch.setenv("T_WEBHOOK_SECRET", "hush")
    assert secrets_of("uk", named) == {"token": "value", "webhook_secret": "hush"}


def test_every_platform_states_the_keys_it_needs() -> None:
    assert set(PLATFORM_KEYS) == set(PLATFORMS)


def test_a_misspelt_purpose_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("T_TOKEN", "value")
    config = system("shopify", secrets={"token": Secret(env="T_TOKEN"), "tokne": Secret(env="T_TOKEN")}, account="a")
    with pytest.raises(ConfigError, match=r"secrets\.tokne"):
        opened(config)


def test_a_shop_without_an_address_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("T_TOKEN", "value")
    with pytest.raises(ConfigError, match=r"systems\.uk\.account"):
        opened(system("shopify", secrets={"token": Secret(env="T_TOKEN")}))


def test_no_value_of_a_secret_is_in_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("T_TOKEN", "the-value-itself")
    with pytest.raises(ConfigError) as caught:
        opened(system("shopify", secrets={"token": Secret(env="T_TOKEN"), "x": Secret(env="T_X")}, account="a"))
    assert "the-value-itself" not in f"{caught.value} {caught.value.problems}"
