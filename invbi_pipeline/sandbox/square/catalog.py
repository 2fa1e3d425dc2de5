"""The catalog: an ITEM per style with its ITEM_VARIATIONs, which are what Square counts and what a listing key names."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from invbi_pipeline.domain.words import ListingStatus
from invbi_pipeline.sandbox.contract import ItemSpec

__all__ = ["Catalog", "CatalogView", "Variation"]

States = Callable[[datetime], str]


@dataclass(slots=True)
class Variation:
    """One sellable variant."""

    id: str
    item_id: str
    sku: str
    barcode: str
    name: str
    price_cents: int
    currency: str
    tracked: bool
    updated_at: datetime
    version: int
    status: ListingStatus = ListingStatus.ACTIVE


@dataclass(slots=True)
class _Item:
    id: str
    name: str
    updated_at: datetime
    version: int
    variations: list[Variation] = field(default_factory=list)


class Catalog:
    """Items and variations by id. Every change gives them the next catalog version."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self._items: dict[str, _Item] = {}
        self._styles: dict[str, str] = {}
        self.variations: dict[str, Variation] = {}
        self.version = 1_700_000_000_000

    def add(self, spec: ItemSpec, now: datetime) -> str:
        """List a variant under its style's item; return the variation's id."""
        self.version += 1
        item = self._item_of(spec, now)
        name = " / ".join(spec.options.values()) or "Regular"
        made = Variation(
            id=self._new_id(),
            item_id=item.id,
            sku=spec.sku,
            barcode=spec.barcode,
            name=name,
            price_cents=round(spec.price * 100),
            currency=spec.currency,
            tracked=spec.tracked,
            updated_at=now,
            version=self.version,
        )
        item.variations.append(made)
        item.updated_at, item.version = now, self.version
        self.variations[made.id] = made
        return made.id

    def change(self, variation_id: str, now: datetime, **values: Any) -> None:
        """Change fields of a variation, as a person does in the item library."""
        self.version += 1
        variation = self.variations[variation_id]
        for name, value in values.items():
            setattr(variation, name, value)
        for thing in (variation, self._items[variation.item_id]):
            thing.updated_at, thing.version = now, self.version

    def known(self, variation_id: str) -> Variation | None:
        """Return a variation that exists and is not deleted."""
        variation = self.variations.get(variation_id)
        return None if variation is None or variation.status is ListingStatus.DELETED else variation

    def title(self, variation: Variation) -> str:
        """Return the name of the variation's item."""
        return self._items[variation.item_id].name

    def objects(self, types: set[str], after: datetime | None, deleted: bool, view: "CatalogView") -> Iterator[_Item | Variation]:
        """Yield the objects of these types that changed after a moment."""
        for item in self._items.values():
            if "ITEM" in types and _asked(item, after, deleted, view):
                yield item
            if "ITEM_VARIATION" in types:
                yield from (variation for variation in item.variations if _asked(variation, after, deleted, view))

    def render(self, thing: _Item | Variation, state: States, view: "CatalogView") -> dict[str, Any]:
        """Return the CatalogObject; an item holds its variations."""
        if isinstance(thing, Variation):
            return self._render_variation(thing, state, view)
        alive = [v for v in thing.variations if v.status is not ListingStatus.DELETED]
        gone = not alive
        data: dict[str, Any] = {
            "name": thing.name,
            "product_type": "REGULAR",
            "is_archived": bool(alive) and all(v.status is ListingStatus.INACTIVE for v in alive),
            "variations": [self._render_variation(v, state, view) for v in (thing.variations if gone else alive)],
        }
        return {**_head("ITEM", thing.id, state(view.changed_at(thing)), thing.version, gone), "item_data": data}

    def _render_variation(self, variation: Variation, state: States, view: "CatalogView") -> dict[str, Any]:
        tracked = variation.tracked and not view.untracked_all
        data: dict[str, Any] = {
            "item_id": variation.item_id,
            "name": variation.name,
            "pricing_type": "FIXED_PRICING",
            "price_money": {"amount": variation.price_cents, "currency": variation.currency},
            "track_inventory": tracked,
            "sellable": variation.status is ListingStatus.ACTIVE,
            "stockable": True,
        }
        if variation.sku:
            data["sku"] = variation.sku
        if variation.barcode:
            data["upc"] = variation.barcode
        overrides = [
            {"location_id": location, "track_inventory": tracked, **({"sold_out": True} if tracked and quantity <= 0 else {})}
            for location, quantity in view.stock_of(variation.id)
        ]
        if overrides:
            data["location_overrides"] = overrides
        deleted = variation.status is ListingStatus.DELETED
        head = _head("ITEM_VARIATION", variation.id, state(view.changed_at(variation)), variation.version, deleted)
        return {**head, "item_variation_data": data}

    def _item_of(self, spec: ItemSpec, now: datetime) -> _Item:
        style = spec.style or spec.title
        if style not in self._styles:
            item = _Item(self._new_id(), _item_name(spec), now, self.version)
            self._styles[style] = item.id
            self._items[item.id] = item
        return self._items[self._styles[style]]


def _item_name(spec: ItemSpec) -> str:
    """Return the title without what only this variation is: its options, which end a variant's title."""
    return spec.title.partition(f", {next(iter(spec.options.values()))}")[0] if spec.options else spec.title


@dataclass(frozen=True, slots=True)
class CatalogView:
    """What the catalog shows of the stock: (location, units) of a variation, and a planted loss of all tracking.

    `switched_at`: when every variation's settings were last changed at once.
    """

    stock_of: Callable[[str], list[tuple[str, int]]]
    untracked_all: bool
    switched_at: datetime | None

    def changed_at(self, thing: _Item | Variation) -> datetime:
        """Return when an object last changed: whether it is tracked is a setting of the variation."""
        return max(thing.updated_at, self.switched_at or thing.updated_at)


def _asked(thing: _Item | Variation, after: datetime | None, deleted: bool, view: CatalogView) -> bool:
    if isinstance(thing, Variation):
        gone = thing.status is ListingStatus.DELETED
    else:
        gone = all(v.status is ListingStatus.DELETED for v in thing.variations)
    return (deleted or not gone) and (after is None or view.changed_at(thing) > after)


def _head(kind: str, object_id: str, updated_at: str, version: int, deleted: bool) -> dict[str, Any]:
    return {
        "type": kind,
        "id": object_id,
        "updated_at": updated_at,
        "version": version,
        "is_deleted": deleted,
        "present_at_all_locations": True,
    }
