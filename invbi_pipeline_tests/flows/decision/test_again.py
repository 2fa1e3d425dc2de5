"""The same change is wanted again where the last one is known not to have happened: it is sent under a key of its own."""

from pathlib import Path

from invbi_pipeline.errors import AmbiguousWrite
from invbi_pipeline_tests.flows.small_shop import SmallShop, small_shop


def never_arrives() -> None:
    raise AmbiguousWrite("No answer came.")


def run_until_it_shows(shop: SmallShop, key: str, number: int) -> None:
    for _ in range(3):
        shop.run()
        if shop.shows(key) == number:
            return
    raise AssertionError(f"{key} shows {shop.shows(key)}")


def test_a_push_of_unknown_outcome_that_never_arrived_is_sent_once_more(tmp_path: Path) -> None:
    with small_shop(tmp_path) as shop:
        shop.shop.sending = never_arrives
        shop.lies("k0", 6)
        for _ in range(2):
            shop.run()
            assert shop.corrections("ambiguous").height == 1

        shop.shop.sending = lambda: None
        run_until_it_shows(shop, "k0", 6)
        keys = [one.idempotency_key for one in shop.shop.written]
        assert len(keys) == len(set(keys)) == 1
