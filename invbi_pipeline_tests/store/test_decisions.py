"""What people said of listings: a journal that a run only reads."""

from datetime import UTC, datetime
from pathlib import Path

from invbi_pipeline.domain.words import Decision
from invbi_pipeline.store.state import open_state

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def test_every_decision_is_kept_in_its_order_with_who_and_when(tmp_path: Path) -> None:
    state = open_state("sqlite:///state.db", tmp_path)
    state.decisions.decide("web", "L1", "A", Decision.ACCEPTED, "ana", NOW, units=6, since=NOW)
    state.decisions.decide("web", "L1", "A", Decision.REJECTED, "ben", NOW)
    state.close()
    assert open_state("sqlite:///state.db", tmp_path).decisions.all().rows() == [
        ("web", "L1", "A", 6, "accepted", "ana", NOW, NOW, 1),
        ("web", "L1", "A", 1, "rejected", "ben", NOW, None, 2),
    ]
