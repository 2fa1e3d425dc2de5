"""Many tiny retailers under one configuration: what a run costs whatever its size is paid once for all of them.

Each seed is one retailer of one preset, whose systems, places and skus are its own: nothing of it is another's. What befalls a
seed hangs on that seed alone, but for a process that ends: that is everybody's.
"""

import os
import random
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette
from starlette.routing import Mount

from invbi_pipeline.config import Config
from invbi_pipeline.sandbox import presets
from invbi_pipeline.sandbox.contract import Account, WorldClock
from invbi_pipeline.sandbox.world import VirtualClock, World
from invbi_pipeline.sandbox.world.builder import build_world
from invbi_pipeline.sandbox.world.catalogue import Catalogue, ean13
from invbi_pipeline.sandbox.world.laws import Laws
from invbi_pipeline.sandbox.world.plans import PresetPlan, SystemPlan

__all__ = ["SKUS", "Estate", "Retailer", "estate", "preset_of"]

SKUS: Final = 14  # of each retailer, two of them kits: as few as its presets' special policies can do with
_PLACES: Final = ("warehouse", "soho")  # of the presets' own; a marketplace's warehouse comes with its channel
_CHANNELS: Final = 2
_FILES: Final = ("sku_map", "kits", "policies", "prices")
_GUARDS: Final[Mapping[str, Any]] = {}  # the defaults, which a careful merchant would choose


@dataclass(frozen=True, slots=True)
class Retailer:
    """One seed's world."""

    seed: int
    world: World
    app: Starlette

    @property
    def host(self) -> str:
        return host_of(self.seed)

    def dice(self, what: str) -> random.Random:
        """Return dice for one purpose: the same for the same seed, whoever else is there."""
        return random.Random(f"{self.seed}/{self.world.business.preset}/{what}")


@dataclass(frozen=True, slots=True)
class Estate:
    """All of them, and the configuration that connects them."""

    retailers: tuple[Retailer, ...]
    config: Config


def host_of(seed: int) -> str:
    """Return the host that a seed's platforms answer at."""
    return f"seed-{seed}.test"


def preset_of(seed: int) -> str:
    """Return the preset of a seed: turn by turn."""
    return list(presets.PRESETS)[seed % len(presets.PRESETS)]


@contextmanager
def estate(folder: Path, seeds: Iterable[int], preset: str | None = None) -> Iterator[Estate]:
    """Bring retailers to life in a folder; their secrets are in the environment for as long as they live."""
    retailers = tuple(_retailer(folder, seed, preset or preset_of(seed)) for seed in seeds)
    kept = dict(os.environ)
    for one in retailers:
        os.environ.update(presets.secrets(one.world))
    try:
        yield Estate(retailers, _configured(folder, retailers))
    finally:
        os.environ.clear()
        os.environ.update(kept)


def _retailer(folder: Path, seed: int, preset: str) -> Retailer:
    small = _trimmed(presets.PRESETS[preset], random.Random(f"{seed}/{preset}/trimmed"))
    plan, home, clock = _of_its_own(small, seed), folder / str(seed), VirtualClock()

    def account(system: SystemPlan, world: WorldClock, rng: random.Random, address: str, secrets: Mapping[str, str]) -> Account:
        return presets.emulated(system, world, rng, address, secrets, home)

    laws = _Named("chaos", seed=seed)
    world = build_world(plan, seed, SKUS, f"http://{host_of(seed)}", home, clock, account, 0, faults=False, laws=laws)
    routes = [Mount(f"/{name}", system.account.app) for name, system in world.business.systems.items()]
    return Retailer(seed, world, Starlette(routes=routes))


def _trimmed(plan: PresetPlan, dice: random.Random) -> PresetPlan:
    """Return the plan with one shop beside the warehouse, and two channels beside the systems that count those."""
    owners = {place.owner for place in plan.places if place.name in _PLACES}
    others = [system.name for system in plan.systems if system.name not in owners]
    systems = owners | set(dice.sample(others, min(len(others), _CHANNELS)))
    places = {
        place.name for place in plan.places if place.name in _PLACES or (place.owner in systems and place.owner not in owners)
    }

    def kept(names: Iterable[str]) -> tuple[str, ...]:
        return tuple(name for name in names if name in places)

    return replace(
        plan,
        places=tuple(place for place in plan.places if place.name in places),
        systems=tuple(
            replace(s, counts=kept(s.counts), sells_from=kept(s.sells_from)) for s in plan.systems if s.name in systems
        ),
        streams=tuple(stream for stream in plan.streams if stream.system in systems and stream.place in places),
        policies=tuple(policy for policy in plan.policies if not policy.channel or policy.channel in systems),
    )


def _of_its_own(plan: PresetPlan, seed: int) -> PresetPlan:
    """Return the plan with the seed in the name of every system and place."""

    def named(name: str) -> str:
        return f"{name}_{seed}" if name else name

    def all_named(names: Iterable[str]) -> tuple[str, ...]:
        return tuple(map(named, names))

    return replace(
        plan,
        places=tuple(replace(p, name=named(p.name), owner=named(p.owner)) for p in plan.places),
        systems=tuple(
            replace(
                s,
                name=named(s.name),
                counts=all_named(s.counts),
                sells_from=all_named(s.sells_from),
                default_place=named(s.default_place),
            )
            for s in plan.systems
        ),
        streams=tuple(replace(s, system=named(s.system), place=named(s.place)) for s in plan.streams),
        policies=tuple(replace(p, channel=named(p.channel), location=named(p.location)) for p in plan.policies),
    )


@dataclass(frozen=True, slots=True)
class _Named(Laws):
    """Laws under which every sku and barcode is the seed's own."""

    seed: int = 0

    def taste(self, catalogue: Catalogue, seed: int) -> Catalogue:
        """Return the catalogue with the seed in every sku."""

        def named(sku: str) -> str:
            return f"S{self.seed}-{sku}"

        first = self.seed * 1_000
        products = {
            named(sku): replace(product, sku=named(sku), style=named(product.style), barcode=ean13(first + n))
            for n, (sku, product) in enumerate(catalogue.products.items())
        }
        kits = {
            named(sku): replace(
                kit,
                sku=named(sku),
                barcode=ean13(first + 500 + n),
                components={named(part): units for part, units in kit.components.items()},
            )
            for n, (sku, kit) in enumerate(catalogue.kits.items())
        }
        return Catalogue(products, kits, {named(one): named(other) for one, other in catalogue.twins.items()})


def _configured(folder: Path, retailers: Iterable[Retailer]) -> Config:
    """Return what all the merchants' configurations say, as one."""
    systems: dict[str, Any] = {}
    places: dict[str, Any] = {}
    files: dict[str, list[str]] = {name: [] for name in _FILES}
    for one in retailers:
        home = folder / str(one.seed)
        said = tomllib.loads(presets.write_config(one.world, home).read_text(encoding="utf-8"))
        for system in said["systems"].values():
            for source in system.get("files", {}).values():
                source["path"] = f"{one.seed}/{source['path']}"
        systems |= said["systems"]
        places |= said["locations"]
        for name, lines in files.items():
            header, *rows = (home / f"{name}.csv").read_text(encoding="utf-8").splitlines(keepends=True)
            lines.extend(rows if lines else [header, *rows])
    for name, lines in files.items():
        (folder / f"{name}.csv").write_text("".join(lines), encoding="utf-8")
    raw = {
        "business": said["business"],
        "systems": systems,
        "locations": places,
        "policies": {name: f"{name}.csv" for name in _FILES},
        "guards": _GUARDS,
        "path": folder / "invbi.toml",
    }
    return Config.model_validate(raw)
