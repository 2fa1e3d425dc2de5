"""The trail: each step of a correction once, from what the outbox keeps of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from invbi_pipeline.domain import frames as f
from invbi_pipeline.domain.corrections.trail import newest_first, trail, unknown

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def rows(schema: f.Schema, *some: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame([{**dict.fromkeys(schema), **one} for one in some], schema=dict(schema))


def correction(**over: Any) -> dict[str, Any]:
    plain = {"correction_id": "c1", "run_id": "r1", "kind": "set", "system": "shop", "listing_key": "l1", "location": ""}
    return {**plain, "state": "held", "mode": "auto", "planned_at": NOW, "judged_at": NOW, "guard": '{"mode":"pass"}', **over}


def steps(**over: Any) -> pl.DataFrame:
    return trail(rows(f.CORRECTIONS, correction(**over)), rows(f.DECIDED))


def test_where_every_guard_lets_go_that_was_the_approval() -> None:
    assert steps()["step"].to_list() == ["planned", "approved"]
    assert steps(guard='{"mode":"pass","feed":"it is truncated"}')["step"].to_list() == ["planned", "judged"]


def test_what_is_noted_twice_is_one_step_and_what_is_sent_twice_is_two() -> None:
    once = steps(guard='{"feed":"it is truncated"}', sent_at=NOW)
    later = {"judged_at": NOW + timedelta(minutes=5), "sent_at": NOW + timedelta(minutes=5)}
    again = steps(guard='{"feed":"it is truncated"}', **later)
    assert unknown(once, once).is_empty()
    assert unknown(again, once)["step"].to_list() == ["sent"]
    other = steps(guard='{"feed":"it is stale"}', **later)
    assert unknown(other, once)["step"].to_list() == ["judged", "sent"]


def test_a_person_who_refused_is_told_and_not_the_end_that_followed() -> None:
    word = rows(f.DECIDED, {"correction_id": "c1", "who": "ana", "decision": "refused", "at": NOW, "note": "no"})
    told = trail(rows(f.CORRECTIONS, correction(state="dead")), word)
    assert told.select("step", "who", "what").rows()[-1] == ("refused", "ana", "no")
    assert "dead" not in told["step"]


def test_the_newest_step_comes_first_and_what_has_no_time_is_how_it_ended() -> None:
    told = newest_first(steps(sent_at=NOW, send_ended_at=NOW, answered="{}", state="mismatched", read_back=3))
    assert told["step"].to_list() == ["mismatched", "answered", "sent", "approved", "planned"]
    assert told["what"][0] == "read back 3"
