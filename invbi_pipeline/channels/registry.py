"""Which platforms there are. A platform is one row here and one module beside this one.

Modules are imported when a system of theirs is opened. A platform's module holds `FACTS` and a channel class that is made as
`Class(system, system_config, secrets, clock=, rng=, transport=, shared=)`, `secrets` being values by purpose; only `files`,
which talks to no one, takes a folder instead.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final, cast

import httpx

from invbi_pipeline.channels.protocol import Channel, Clock, Facts
from invbi_pipeline.channels.shared import Shared
from invbi_pipeline.config import SystemConfig, platform_problems
from invbi_pipeline.errors import ConfigError

__all__ = ["PLATFORMS", "Platform", "facts_of", "open_channel", "secrets_of"]


@dataclass(frozen=True, slots=True)
class Platform:
    """Where a platform's module is and what its class is called."""

    module: str
    channel: str


PLATFORMS: Final[Mapping[str, Platform]] = {
    "shopify": Platform("invbi_pipeline.channels.shopify", "ShopifyChannel"),
    "square": Platform("invbi_pipeline.channels.square", "SquareChannel"),
    "amazon": Platform("invbi_pipeline.channels.amazon", "AmazonChannel"),
    "files": Platform("invbi_pipeline.channels.files", "FilesChannel"),
}

# Purposes that only the receiver of webhooks needs: a system that is merely swept does without, even where they are named.
_OPTIONAL: Final = ("webhook",)


def facts_of(platform: str) -> Facts:
    """Return a platform's facts. Raises `ConfigError` for an unknown platform."""
    return cast(Facts, import_module(_platform("", platform).module).FACTS)


def secrets_of(name: str, system: SystemConfig) -> dict[str, str]:
    """Return the system's secrets by purpose.

    Raises `ConfigError` with one problem for each purpose that is not named, each named variable that is not set and each
    purpose the platform does not know, so that all are seen at once and before anything is called. A webhook's secret that is
    not set is left out; `Channel.parse_event` asks for it.
    """
    wanted = facts_of(system.platform).secrets
    problems: list[tuple[str, str, str]] = []
    values: dict[str, str] = {}
    for purpose, what in wanted.items():
        if purpose not in system.secrets and not purpose.startswith(_OPTIONAL):
            env = f"{name}_{purpose}".upper().replace("-", "_")
            problems.append(
                (f"systems.{name}.secrets.{purpose}", f"names no environment variable for the {what}", f'add {{ env = "{env}" }}')
            )
    for purpose, secret in system.secrets.items():
        if not any(purpose == known or purpose.startswith(f"{known}_") for known in wanted):
            expected = ", ".join(wanted) or "none"
            problems.append((f"systems.{name}.secrets.{purpose}", f"no such secret; expected {expected}", "remove or rename it"))
            continue
        try:
            values[purpose] = secret.read()
        except ConfigError as missing:
            if not purpose.startswith(_OPTIONAL):
                problems += missing.problems
    if problems:
        names = ", ".join(where for where, _, _ in problems)
        raise ConfigError(f"System {name} cannot be opened: {names}.", problems)
    return values


def open_channel(
    name: str,
    system_config: SystemConfig,
    clock: Clock,
    rng: random.Random,
    transport: httpx.AsyncBaseTransport | None = None,
    *,
    folder: Path = Path(),
    shared: Shared | None = None,
) -> Channel:
    """Open a configured system; nothing is called yet.

    `transport` replaces the network. `shared` keeps its budgets together with other processes'. `folder` is where the relative
    paths of `files` start. Raises `ConfigError` for an unknown platform, missing secrets (naming every variable), or a missing
    address.
    """
    platform = _platform(name, system_config.platform)
    secrets = secrets_of(name, system_config)
    if problems := platform_problems(name, system_config):
        raise ConfigError(f"System {name} cannot be opened: {', '.join(where for where, _, _ in problems)}.", problems)
    make = cast(Callable[..., Channel], getattr(import_module(platform.module), platform.channel))
    if system_config.platform == "files":
        return make(name, system_config, folder, clock)
    return make(name, system_config, secrets, clock=clock, rng=rng, transport=transport, shared=shared)


def _platform(name: str, platform: str) -> Platform:
    try:
        return PLATFORMS[platform]
    except KeyError:
        where = f"systems.{name}.platform" if name else "platform"
        expected = ", ".join(sorted(PLATFORMS))
        raise ConfigError(
            f"{where}: {platform!r} is no platform; expected one of {expected}.",
            [(where, f"one of {expected}", "correct its spelling")],
        ) from None
