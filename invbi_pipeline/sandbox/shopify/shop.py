"""One emulated shop's books: everything it has stored, with its ids, and the change counters its readers' caches hang on."""

import random
from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import count

from invbi_pipeline.sandbox.contract import ItemSpec, Wire, WorldClock
from invbi_pipeline.sandbox.shopify.catalogue import Item, Level, Location, Product, Variant
from invbi_pipeline.sandbox.shopify.orders import Order
from invbi_pipeline.sandbox.shopify.stock import Shelves
from invbi_pipeline.sandbox.wire import PlatformClock

__all__ = ["Shop"]


class Shop:
    """The shop's stored state. `happened(topic, subject)` is told of each event that Shopify has a webhook topic for."""

    def __init__(self, name: str, world: WorldClock, rng: random.Random, wire: Wire) -> None:
        self.name = name
        self.domain = f"{name.replace('_', '-')}.myshopify.com"
        self.world = world
        self.wire = wire
        self.clock = PlatformClock(world, wire)
        self.happened: Callable[[str, object], None] = lambda topic, subject: None
        self.shelves = Shelves(self.clock, lambda level: self.happened("inventory_levels/update", level))
        self.locations: dict[int, Location] = {}
        self.products: dict[int, Product] = {}
        self.variants: dict[int, Variant] = {}
        self.items: dict[int, Item] = {}
        self.orders: dict[int, Order] = {}
        self.sku_uses: dict[str, int] = {}
        self.order_revision = 0
        self.catalogue_revision = 0
        self.currency = "GBP"
        # two shops never share ids: each counts on from a random place of its own
        self.id = rng.randrange(10_000_000, 99_999_999)
        self.opened_at = self.now()
        start = rng.randrange(10**6, 10**7)
        self._location_ids = count(90_000_000_000 + start * 10, 1)
        self._product_ids = count(8_000_000_000_000 + start * 1000, 1)
        self._variant_ids = count(46_000_000_000_000 + start * 1000, 1)
        self._item_ids = count(44_000_000_000_000 + start * 1000, 1)
        self._order_ids = count(5_000_000_000_000 + start * 1000, 1)
        self._order_numbers = count(1001)
        self._other_ids = count(13_000_000_000_000 + start * 1000, 1)
        self._by_style: dict[str, Product] = {}

    def now(self) -> datetime:
        """Return the platform's time, whole seconds."""
        return self.clock.now().replace(microsecond=0)

    def next_id(self) -> int:
        """Return a fresh id for a line, refund, fulfilment, adjustment group or the like."""
        return next(self._other_ids)

    def next_order(self) -> tuple[int, int]:
        """Return a fresh order id and order number."""
        return next(self._order_ids), next(self._order_numbers)

    # the catalogue

    def add_location(self, name: str, active: bool) -> Location:
        now = self.now()
        location = Location(next(self._location_ids), name, active, now, now)
        self.locations[location.id] = location
        return location

    def add_item(self, spec: ItemSpec) -> Item:
        """List a thing: a variant of the product its style names, with its inventory item, stocked nowhere yet."""
        now = self.now()
        product = self._by_style.get(spec.style) if spec.style else None
        if product is None:
            product = self.new_product(_product_title(spec))
            if spec.style:
                self._by_style[spec.style] = product
        title = " / ".join(spec.options.values()) or "Default Title"
        variant = Variant(
            next(self._variant_ids),
            product,
            spec.barcode,
            title,
            dict(spec.options),
            f"{spec.price:.2f}",
            spec.currency,
            len(product.variants) + 1,
            now,
            now,
        )
        product.variants.append(variant)
        product.updated_at = now  # a new variant is a change of its product
        item = Item(next(self._item_ids), variant, spec.sku, spec.tracked, now, now)
        self.variants[variant.id] = variant
        self.items[item.id] = item
        self.currency = spec.currency
        self._count_sku(spec.sku, 1)
        self.catalogue_revision += 1
        return item

    def new_product(self, title: str) -> Product:
        now = self.now()
        product = Product(next(self._product_ids), title, now, now)
        self.products[product.id] = product
        return product

    def touch(self, item: Item) -> None:
        """Date a change of a listing's own words."""
        now = self.now()
        item.updated_at = item.variant.updated_at = item.variant.product.updated_at = now
        self.catalogue_revision += 1

    def rename(self, item: Item, sku: str | None, barcode: str | None) -> None:
        if sku is not None:
            self._count_sku(item.sku, -1)
            item.sku = sku
            self._count_sku(sku, 1)
        if barcode is not None:
            item.variant.barcode = barcode
        self.touch(item)

    def give_own_product(self, item: Item) -> None:
        """Split a variant off into a product of its own: a status is the product's, and all its variants share it."""
        variant, shared = item.variant, item.variant.product
        if len(shared.variants) == 1:
            return
        shared.variants.remove(variant)
        product = self.new_product(f"{shared.title} {variant.title}")
        product.status = shared.status
        product.variants.append(variant)
        variant.product, variant.position = product, 1

    # look-ups

    def item(self, listing_key: str) -> Item:
        """Return the inventory item; KeyError for an unknown key."""
        return self.items[int(listing_key)]

    def level(self, item: Item, location: Location) -> Level | None:
        """Return the level there, if the item is stocked there."""
        level = item.levels.get(location.id)
        return level if level is not None and level.active else None

    def live_items(self) -> Iterable[Item]:
        return (item for item in self.items.values() if not item.deleted)

    def _count_sku(self, sku: str, by: int) -> None:
        if sku:
            self.sku_uses[sku] = self.sku_uses.get(sku, 0) + by


def _product_title(spec: ItemSpec) -> str:
    """Return the title without what only this variant is: its options, which end a variant's title."""
    return spec.title.partition(f", {next(iter(spec.options.values()))}")[0] if spec.options else spec.title
