import random
from collections import Counter
from datetime import UTC, datetime, timedelta

from invbi_pipeline.sandbox.world.demand import Kind, Stream, poisson
from invbi_pipeline.sandbox.world.places import Listing

_MONDAY = datetime(2026, 9, 14, tzinfo=UTC)


def _stream(kind: Kind = Kind.COUNTER) -> Stream:
    listings = [Listing("till", f"L{n}", f"S{n}", f"S{n}", popularity=1 / (1 + n)) for n in range(200)]
    return Stream("till", kind, "soho", 100, listings)


def test_shops_are_busiest_on_saturdays_and_closed_at_night() -> None:
    rng, stream = random.Random(1), _stream()
    days = [sum(len(stream.arrivals(_MONDAY + timedelta(weeks=w, days=d), rng)) for w in range(8)) for d in range(7)]
    assert days.index(max(days)) == 5
    assert all(9 <= at.hour < 20 for at in stream.arrivals(_MONDAY, rng))


def test_few_listings_make_most_of_the_sales() -> None:
    rng, stream = random.Random(1), _stream()
    sold = Counter(stream.choose(rng).key for _ in range(4000))
    assert sum(count for _, count in sold.most_common(20)) > 0.5 * 4000


def test_a_basket_holds_each_listing_once() -> None:
    rng, stream = random.Random(1), _stream(Kind.TRADE)
    for _ in range(200):
        keys = [listing.key for listing, _ in stream.basket(rng)]
        assert len(set(keys)) == len(keys)


def test_poisson_numbers_have_their_mean_on_both_sides_of_the_approximation() -> None:
    rng = random.Random(1)
    for mean in (0.5, 4, 60):
        drawn = [poisson(mean, rng) for _ in range(3000)]
        assert abs(sum(drawn) / len(drawn) - mean) < 0.1 * mean
