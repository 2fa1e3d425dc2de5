"""Builds a world from a preset's plan: accounts, listings, shelves, demand, policies."""

import math
import random
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from invbi_pipeline.domain.words import LocationKind
from invbi_pipeline.sandbox.contract import Account, ItemSpec, WorldClock
from invbi_pipeline.sandbox.world.business import Business
from invbi_pipeline.sandbox.world.catalogue import Catalogue, build_catalogue
from invbi_pipeline.sandbox.world.clock import VirtualClock
from invbi_pipeline.sandbox.world.demand import Kind, Stream
from invbi_pipeline.sandbox.world.laws import CALM, Laws
from invbi_pipeline.sandbox.world.places import Listing, Place, System
from invbi_pipeline.sandbox.world.plans import PresetPlan, SystemPlan
from invbi_pipeline.sandbox.world.policy import Policies, Policy
from invbi_pipeline.sandbox.world.staff import Target
from invbi_pipeline.sandbox.world.world import NOTHING, World

__all__ = ["HISTORY_DAYS", "AccountFactory", "build_world"]

HISTORY_DAYS = 30
AccountFactory = Callable[[SystemPlan, WorldClock, random.Random, str, Mapping[str, str]], Account]
"""(plan, clock, dice, base_url, secrets by purpose) -> an account."""

_SECRETS = {
    "shopify": ("token", "webhook_secret"),
    "square": ("token", "webhook_key"),
    "amazon": ("client_id", "client_secret", "refresh_token"),
}
_PLATFORM_LOCATION = "AMAZON_EU"
_UNITS_AN_ORDER = {Kind.COUNTER: 1.8, Kind.ONLINE: 1.8, Kind.MARKETPLACE: 1.8, Kind.PLATFORM: 1.8, Kind.TRADE: 8.0}
_CARRIED = 0.75  # of what a shop's system lists is on that shop's shelves


def build_world(
    plan: PresetPlan,
    seed: int,
    skus: int,
    base_url: str,
    folder: Path,
    clock: VirtualClock,
    make_account: AccountFactory,
    history_days: int = HISTORY_DAYS,
    faults: bool = True,
    laws: Laws = CALM,
    history: Mapping[str, int] = NOTHING,
) -> World:
    """Build the world and tell its history, which ends at the clock's present; then the demo's `faults` are scheduled.

    `history` says what went wrong in it: label -> how many (such as `faults.shelf.HISTORY_PLAN`).
    """
    go_live = clock.now()
    clock.rewind(go_live - timedelta(days=history_days))
    dice = random.Random(f"{seed}/{plan.name}/build")
    catalogue = laws.taste(build_catalogue(skus, dice), seed)
    secrets = {system.name: _secrets(system, dice) for system in plan.systems}
    systems = {
        system.name: _system(plan, system, catalogue, make_account, clock, base_url, secrets, seed, dice)
        for system in plan.systems
    }
    business = Business(
        plan.name,
        seed,
        clock,
        catalogue,
        {place.name: place for place in plan.places},
        systems,
        Policies(),
        folder,
        base_url,
        laws=laws,
        secrets=secrets,
    )
    business.policies = Policies((*plan.policies, *_special_policies(business, go_live, dice)))
    business.streams = _streams(plan, business, skus)
    targets = _fill_shelves(plan, business, dice)
    world = World(business, targets)
    world.live_through(history_days, history)
    for system in plan.systems:  # while nobody reads, lags would only cost time
        wire = systems[system.name].account.wire
        wire.order_lag_s, wire.visibility_lag_s = system.order_lag_s, system.visibility_lag_s
    if faults:
        world.planter.schedule()
    return world


def _secrets(plan: SystemPlan, dice: random.Random) -> dict[str, str]:
    return {purpose: f"{plan.name}-{dice.getrandbits(128):032x}" for purpose in _SECRETS.get(plan.platform, ())}


def _system(
    preset: PresetPlan,
    plan: SystemPlan,
    catalogue: Catalogue,
    make_account: AccountFactory,
    clock: VirtualClock,
    base_url: str,
    secrets: Mapping[str, Mapping[str, str]],
    seed: int,
    dice: random.Random,
) -> System:
    rng = random.Random(f"{seed}/{preset.name}/account/{plan.name}")
    account = make_account(plan, clock, rng, f"{base_url}/{plan.name}", secrets[plan.name])
    system = System(
        plan.name,
        account,
        counts=plan.counts,
        sells=plan.sells,
        absorbs=plan.absorbs,
        per_location=plan.per_location,
        sells_from=plan.sells_from,
        default_place=plan.default_place,
    )
    kinds = {place.name: place.kind for place in preset.places}
    for place in dict.fromkeys((*plan.sells_from, *plan.counts)):
        if kinds[place] is LocationKind.PLATFORM:
            key = account.add_location(_PLATFORM_LOCATION, _title(place)) or _PLATFORM_LOCATION
        elif plan.per_location:
            key = account.add_location(place, _title(place))
        else:
            continue
        system.place_of[key] = place
        system.key_of[place] = key
    _list_everything(plan, system, catalogue, dice)
    return system


def _title(place: str) -> str:
    return place.replace("_", " ").title()


def _list_everything(plan: SystemPlan, system: System, catalogue: Catalogue, dice: random.Random) -> None:
    def add(raw: str, sku: str, units: int = 1, by_platform: bool = False) -> None:
        item = catalogue.item(sku)
        pack = units > 1
        spec = ItemSpec(
            raw,
            "" if pack else item.barcode,
            f"{item.title} (pack of {units})" if pack else item.title,
            getattr(item, "style", "") or sku,
            getattr(item, "options", {}) | ({"Pack": str(units)} if pack else {}),
            round(item.price * units * (0.9 if pack else 1.0), 2),
            system.currency,
            by_platform,
        )
        key = system.account.add_item(spec)
        popularity = item.popularity * dice.lognormvariate(0, 0.6) / units
        system.add(Listing(system.name, key, raw, sku, units, True, by_platform, spec.price, popularity))

    for sku in catalogue.products:
        if dice.random() >= plan.lists:
            continue
        add(_odd(plan.platform, sku) if dice.random() < plan.odd_skus else sku, sku)
        if dice.random() < plan.packs:
            add(f"{sku}-{plan.pack_of}PK", sku, plan.pack_of)
        if dice.random() < plan.by_platform:
            add(f"{sku}-FBA", sku, by_platform=True)
    if plan.kits:
        for sku in catalogue.kits:
            add(sku, sku)


def _odd(platform: str, sku: str) -> str:
    """Write a sku as it was typed into one system before anybody agreed on how."""
    return {
        "shopify": f"UK-{sku}",
        "square": sku.replace("-", "").lower() + "*",
        "amazon": f"{sku}-FBM",
        "files": f"ART.{sku.replace('-', '.')}",
    }.get(platform, sku)


def _special_policies(business: Business, go_live: datetime, dice: random.Random) -> list[Policy]:
    """Return a few policies of single skus: caps, shares, a backorder, a pop-up and a flash sale that is over."""
    rows: list[Policy] = []
    products = list(business.catalogue.products)
    stores = [place.name for place in business.places.values() if place.kind is LocationKind.STORE]
    chosen = iter(dice.sample(products, min(len(products), 16)))
    packed = {listing.sku for s in business.systems.values() for listing in s.listings.values() if listing.units > 1}
    for channel in (name for name, system in business.systems.items() if business.offered_at(system)):
        rows.append(Policy("max_offer", 3, channel, sku=next(chosen)))
        until = go_live + timedelta(days=20)
        rows.append(Policy("max_offer", 6, channel, sku=next(chosen), valid_from=go_live - timedelta(days=3), valid_to=until))
        over = go_live - timedelta(days=4)
        rows.append(Policy("max_offer", 0, channel, sku=next(chosen), valid_from=over - timedelta(days=3), valid_to=over))
        if len(business.systems[channel].sells_from) == 1 and business.systems[channel].per_location:
            single = [sku for sku in products if sku not in packed]
            rows += [Policy("share_bp", 5000, channel, sku=sku) for sku in dice.sample(single, min(5, len(single)))]
            rows.append(Policy("backorder_limit", 5, channel, sku=single[0]))
            rows.append(Policy("min_offer", 3, channel, sku=single[-1]))
    rows += [Policy("safety_stock", 3, location=stores[0], sku=next(chosen)) for _ in range(2) if stores]
    return rows


def _streams(plan: PresetPlan, business: Business, skus: int) -> list[Stream]:
    scale = math.sqrt(skus / 2000)
    streams = []
    fashion = business.laws.fashion(business.seed)
    for stream in plan.streams:
        system = business.systems[stream.system]
        listings = [item for item in system.listings.values() if item.platform_fulfilled == (stream.kind is Kind.PLATFORM)]
        if listings:
            per_day = stream.per_day * scale * business.laws.shoppers
            streams.append(Stream(stream.system, stream.kind, stream.place, per_day, listings, business.laws, fashion))
    return streams


def _fill_shelves(plan: PresetPlan, business: Business, dice: random.Random) -> dict[tuple[str, str], Target]:
    """Put the opening stock on the shelves and into the owners' numbers; return what staff will keep there."""
    a_day = _demand(business)
    targets: dict[tuple[str, str], Target] = {}
    for place in plan.places:
        owner = business.owner(place.name)
        by_platform = place.kind is LocationKind.PLATFORM
        for sku in business.catalogue.products:
            listing = owner.single(sku, by_platform)
            if listing is None:
                continue
            units = 0
            if place.kind is not LocationKind.STORE or dice.random() < _CARRIED:
                targets[place.name, sku] = target = _target(place, a_day[place.name, sku], dice)
                units = dice.randint(target.low, target.full)
            owner.account.stock(listing.key, owner.key_of[place.name], units)
            business.shelves.units[place.name, sku] = units
            business.shelves.book[place.name, sku] = units
    return targets


def _demand(business: Business) -> dict[tuple[str, str], float]:
    demand: dict[tuple[str, str], float] = defaultdict(float)
    for stream in business.streams:
        total = sum(listing.popularity for listing in stream.listings)
        for listing in stream.listings:
            units = stream.per_day * _UNITS_AN_ORDER[stream.kind] * listing.popularity / total
            for sku, each in business.contents(listing).items():
                demand[stream.place, sku] += units * each
    return demand


def _target(place: Place, a_day: float, dice: random.Random) -> Target:
    if place.kind is LocationKind.STORE:
        low = 1 + math.ceil(a_day * 4)
        return Target(low, low + dice.randint(2, 6) + math.ceil(a_day * 6))
    low = 4 + math.ceil(a_day * 8)
    return Target(low, low + dice.randint(6, 40) + math.ceil(a_day * 25))
