"""What the retailer sells: styles with size and colour variants, kits made of them, barcodes, prices and costs."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Catalogue", "Kit", "Product", "build_catalogue", "ean13"]

_KINDS = (
    ("TEE", "T-shirt", 19.0),
    ("SHT", "Oxford shirt", 45.0),
    ("JNS", "Slim jeans", 65.0),
    ("DRS", "Wrap dress", 79.0),
    ("JKT", "Field jacket", 120.0),
    ("KNT", "Merino jumper", 69.0),
    ("SKT", "Midi skirt", 49.0),
    ("SNK", "Canvas trainers", 59.0),
    ("CAP", "Baseball cap", 18.0),
    ("BAG", "Tote bag", 25.0),
    ("SCK", "Ribbed socks", 9.0),
    ("BLT", "Leather belt", 29.0),
)
_COLOURS = (("BLK", "Black"), ("NAV", "Navy"), ("WHT", "White"), ("RED", "Red"), ("GRN", "Green"), ("SND", "Sand"))
_SIZES = ("XS", "S", "M", "L", "XL")
_ONE_SIZE = frozenset({"CAP", "BAG", "BLT"})
_NAMES = ("Alder", "Birch", "Cedar", "Dune", "Elm", "Fjord", "Grove", "Heath", "Isle", "Juniper", "Kelp", "Linden", "Moor")
_Draft = tuple[str, str, str, dict[str, str], float, float]  # sku, style, title, options, price, cost
_TWINS = 2
_DIGITS_ONLY = 0.04  # of the styles came with their supplier's article number, leading zeros and all


@dataclass(frozen=True, slots=True)
class Product:
    """One sellable variant; `popularity` is its share of demand before any channel's own taste."""

    sku: str
    style: str
    title: str
    options: Mapping[str, str]
    barcode: str
    price: float
    cost: float
    popularity: float


@dataclass(frozen=True, slots=True)
class Kit:
    """Several products sold as one; `components` counts each of them, summed."""

    sku: str
    title: str
    barcode: str
    components: Mapping[str, int]
    price: float
    cost: float
    popularity: float


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Products and kits by their master sku. `twins` are two products whose skus differ in a separator alone."""

    products: Mapping[str, Product]
    kits: Mapping[str, Kit]
    twins: Mapping[str, str] = field(default_factory=dict)  # each way round
    _exploded: dict[str, Mapping[str, int]] = field(default_factory=dict)

    def explode(self, sku: str) -> Mapping[str, int]:
        """Return the products in one unit of a sku, {sku: units}; nothing for what is not in the catalogue."""
        if sku in self.products:
            return self._exploded.setdefault(sku, {sku: 1})
        kit = self.kits.get(sku)
        return kit.components if kit else {}

    def item(self, sku: str) -> Product | Kit:
        """Return the product or kit. Raises KeyError."""
        return self.products[sku] if sku in self.products else self.kits[sku]


def ean13(number: int) -> str:
    """Return a valid EAN-13 in the range for use inside a company (prefix 20-29): GS1 General Specifications, 7.9."""
    body = f"20{number:010d}"
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(body))
    return body + str(-total % 10)


def build_catalogue(skus: int, rng: random.Random) -> Catalogue:
    """Return a catalogue of so many skus, one in twenty of them a kit of 2 or 3 components."""
    kits_wanted = max(2, skus // 20)
    products = _products(skus - kits_wanted, rng)
    twins = {sku: sku.replace("-", "", 1) for sku in products if sku.replace("-", "", 1) in products and "-" in sku}
    return Catalogue(products, _kits(kits_wanted, products, rng), twins | {twin: sku for sku, twin in twins.items()})


def _products(wanted: int, rng: random.Random) -> dict[str, Product]:
    drafts: list[_Draft] = []
    number = 100
    while len(drafts) < wanted:
        number += rng.randint(1, 3)
        code, noun, price = rng.choice(_KINDS)
        price = round(price * rng.uniform(0.8, 1.3)) - 0.01
        cost = round(price * rng.uniform(0.32, 0.5), 2)
        name = f"{rng.choice(_NAMES)} {noun} {number}"
        colours = rng.sample(_COLOURS, rng.randint(1, 3))
        sizes = ("",) if code in _ONE_SIZE else _SIZES[: rng.randint(3, 5)]
        article = f"00{48_000 + number * 7}" if rng.random() < _DIGITS_ONLY else ""
        for place, (short, colour) in enumerate(colours):
            for step, size in enumerate(sizes):
                sku = f"{article}{place}{step}" if article else "-".join(filter(None, (code, str(number), short, size)))
                options = {"Colour": colour} | ({"Size": size} if size else {})
                drafts.append((sku, f"{code}-{number}", name, options, price, cost))
    for row, draft in enumerate(_coded_alike(drafts[: wanted - _TWINS])):
        drafts[wanted - _TWINS + row] = draft
    drafts = drafts[:wanted]
    ranks = list(range(1, wanted + 1))
    rng.shuffle(ranks)
    return {
        sku: Product(
            sku, style, f"{name}, {', '.join(options.values())}", options, ean13(10_000 + row), price, cost, 1 / (4 + rank)
        )
        for row, ((sku, style, name, options, price, cost), rank) in enumerate(zip(drafts, ranks, strict=True))
    }


def _coded_alike(drafts: Sequence[_Draft]) -> list[_Draft]:
    """Return a few products that another buyer coded like an existing one, but for a separator."""
    first = [draft for draft in drafts if draft[0].count("-") > 1][:_TWINS]
    return [
        (sku.replace("-", "", 1), style.replace("-", ""), f"{name}, second supplier", options, price, cost)
        for sku, style, name, options, price, cost in first
    ]


def _kits(wanted: int, products: Mapping[str, Product], rng: random.Random) -> dict[str, Kit]:
    names = list(products)
    kits: dict[str, Kit] = {}
    for row in range(wanted):
        chosen = rng.sample(names, rng.choice((2, 2, 3)))
        components = dict.fromkeys(chosen, 1)
        if row % 4 == 0:
            components[chosen[0]] = 2  # the same component twice in the box
        price = round(0.9 * sum(products[sku].price * units for sku, units in components.items()), 2)
        cost = round(sum(products[sku].cost * units for sku, units in components.items()), 2)
        popularity = rng.uniform(0.3, 1.0) * max(products[sku].popularity for sku in chosen)
        sku = f"KIT-{row + 1:03d}"
        kits[sku] = Kit(sku, f"Gift set {row + 1}", ean13(90_000 + row), components, price, cost, popularity)
    return kits
