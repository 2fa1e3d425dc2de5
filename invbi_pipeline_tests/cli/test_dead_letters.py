"""What a platform refused goes back into a plan by the command line, over real sockets."""

from pathlib import Path

import pytest

from invbi_pipeline_tests.cli.typed import invbi
from invbi_pipeline_tests.rehearsal import rehearsal

pytestmark = pytest.mark.slow  # a world is lived through


def test_what_a_platform_refused_is_listed_and_replayed_once_it_takes_it(tmp_path: Path) -> None:
    with rehearsal(tmp_path, skus=24, history_days=1, faults=False, live=True) as stage:
        quick = "visibility_lag_s = 1.0\nmax_age_s = 172800.0\nplatform"
        stage.path.write_text(stage.path.read_text().replace("\nplatform", f"\n{quick}"))
        stage.world.freeze()  # nobody buys meanwhile, however long that is
        assert invbi("run", "--config", stage.path).code == 0
        shop = stage.world.business.systems["shopify_uk"]
        refused = shop.account.wire.reject_writes
        refused.update(shop.listings)
        stage.damage("warehouse", 2, most=1)
        invbi("run", "--config", stage.path)
        asked = len(stage.door.writes)

        letters = invbi("replay", "--format", "json", "--config", stage.path).lines()
        assert {letter["system"] for letter in letters} == {"shopify_uk"}
        invbi("run", "--config", stage.path)
        assert len(stage.door.writes) == asked  # nobody asked for it again

        refused.clear()
        assert invbi("replay", "--all", "--config", stage.path).code == 0
        assert invbi("run", "--config", stage.path).code == 0
        replayed = {(letter["system"], letter["listing_key"]) for letter in letters}
        wrong = [point for point in stage.world.correctable()[0] if not point.agrees]
        assert replayed.isdisjoint((point.system, point.listing_key) for point in wrong)  # others may wait for orders to be told
        assert invbi("replay", "--format", "json", "--config", stage.path).lines() == []
