"""`invbi plan`, `approve`, `pause`, `resume`, `undo`, `replay` on real stores: what is shown, released, refused."""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from invbi_pipeline.channels.protocol import Write, WriteOutcome, WriteResult
from invbi_pipeline_tests.cli.typed import Said, invbi
from invbi_pipeline_tests.flows.small_shop import SmallShop, small_shop

HELD, SMALL, UNPRICED = "k1", "k0", "k3"


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallShop]:
    """A shop read just now in mode approve: k1 is held as a very large change, k0 and k3 (without a price) wait for a person."""
    with small_shop(tmp_path_factory.mktemp("plans"), at=datetime.now(UTC) - timedelta(minutes=16)) as shop:
        shop.reload('mode = "auto"', 'mode = "approve"')
        shop.lies(HELD, 700)
        shop.lies(SMALL, 6)
        shop.lies(UNPRICED, 14)
        shop.run()
        yield shop


def typed(shop: SmallShop, *words: str) -> Said:
    return invbi(*words, "--config", shop.path)


def meant(shop: SmallShop, *words: str) -> list[str]:
    said = typed(shop, "approve", *words, "--dry-run", "--format", "json")
    assert said.code == 0, said.err
    return sorted(row["listing_key"] for row in said.lines())


def test_a_plan_is_grouped_by_channel_and_what_it_waits_for_the_largest_risk_first(waiting: SmallShop) -> None:
    said = typed(waiting, "plan")
    assert said.code == 4
    held, person = said.out.index("shop: held by change units"), said.out.index("shop: waits for a person (mode approve)")
    assert held < said.out.index(f"10 -> 700  {HELD} on shop") < person < said.out.index(f"10 -> 6  {SMALL} on shop")
    assert "1,380.00" in said.out
    assert "expected 10, shows 10: 0 unexplained; offer 6" in said.out
    assert "change_units" not in said.out


def test_each_row_of_the_json_has_its_reason_bridge_and_every_guards_verdict(waiting: SmallShop) -> None:
    rows = {row["listing_key"]: row for row in typed(waiting, "plan", "--format", "json").lines()}
    held = rows[HELD]
    assert held["held_by"] == ["mode", "change_units"]
    assert json.loads(held["guard"])["first_look"] == "pass"
    assert "should show 700" in held["reason"]
    assert "+690 pending" in held["bridge"]


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        (["--all"], [SMALL, HELD, UNPRICED]),
        (["--system", "shop"], [SMALL, HELD, UNPRICED]),
        (["--system", "till"], []),
        (["--max-units", "4"], [SMALL, UNPRICED]),
        (["--max-units", "3"], []),
        (["--max-money", "4"], [SMALL]),
        (["--guard", "change units"], [HELD]),
        (["--guard", "change units", "--max-units", "4"], []),
        (["--code", "undersell"], []),
    ],
    ids=" ".join,
)
def test_what_is_named_narrows_what_is_meant(waiting: SmallShop, words: list[str], keys: list[str]) -> None:
    assert meant(waiting, *words) == sorted(keys)


def test_an_id_and_a_size_hold_together(waiting: SmallShop) -> None:
    ids = {row["listing_key"]: row["correction_id"] for row in typed(waiting, "plan", "--format", "json").lines()}
    assert meant(waiting, ids[SMALL], ids[HELD], "--max-units", "10") == [SMALL]


def test_what_has_no_price_is_not_below_a_price_and_the_command_says_so(waiting: SmallShop) -> None:
    said = typed(waiting, "approve", "--max-money", "1000", "--dry-run")
    assert "left out 1: they have no price" in said.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["approve"], "invbi plan"),
        (["approve", "--all", "--system", "shop"], "--all alone"),
        (["approve", "c-none"], "does not wait for a person"),
        (["approve", "--system", "tesco"], "one of till, shop"),
        (["approve", "--code", "nonsense"], "a code of the catalogue"),
        (["approve", "--guard", "nonsense"], "second writer"),
        (["approve", "--max-units", "-1"], "--max-units"),
        (["pause", "tesco"], "one of till, shop"),
        (["resume", "tesco"], "one of till, shop"),
        (["undo"], "RUN"),
        (["undo", "2019"], "has sent anything"),
        (["replay", "c-none"], "is no dead letter"),
        (["replay", "--all", "--system", "shop"], "--all alone"),
        (["check", "--system", "shop"], "--readiness"),
    ],
    ids=lambda said: " ".join(said) if isinstance(said, list) else "",
)
def test_what_cannot_be_meant_exits_2_and_says_how_to_mend_it(waiting: SmallShop, words: list[str], told: str) -> None:
    said = typed(waiting, *words)
    assert said.code == 2
    assert told in said.err
    assert "Traceback" not in said.err


def test_a_pause_is_told_with_who_and_why_until_it_is_resumed(waiting: SmallShop) -> None:
    paused = typed(waiting, "pause", "shop", "--by", "ana", "--note", "stock take")
    assert "At most the request under way" in paused.err
    assert "paused by ana" in typed(waiting, "plan").err
    everything = typed(waiting, "resume")
    assert "was not paused" in everything.err
    assert "stock take" in everything.err  # it still is
    assert "goes on" in typed(waiting, "resume", "shop").err
    assert "paused" not in typed(waiting, "plan").err


def test_there_are_no_dead_letters_to_list(waiting: SmallShop) -> None:
    assert "no dead letter" in typed(waiting, "replay").out


def test_a_dead_letter_is_listed_with_its_reason_in_one_line_and_its_whole_answer_only_for_machines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue = {"code": "99300", "message": "This listing cannot be\nchanged at the moment.", "severity": "ERROR"}
    answer = json.dumps({"sku": SMALL, "status": "INVALID", "submissionId": "s" * 40, "issues": [issue, issue]})
    long = f"<html> {'An error page. ' * 40}"

    async def refuse(writes: Sequence[Write]) -> AsyncIterator[WriteResult]:
        for one in writes:
            yield WriteResult(one.correction_id, WriteOutcome.REJECTED, None, "99300", long, answer if one.quantity == 6 else "")

    with small_shop(tmp_path) as shop:
        monkeypatch.setattr(shop.shop, "write", refuse)
        shop.lies(SMALL, 6)
        shop.lies("k2", 7)
        shop.run()
        lines = typed(shop, "replay").out.splitlines()
        assert lines[0] == "2 dead letters"
        (at,) = (n for n, line in enumerate(lines) if f"rejected  set 10 -> 6  {SMALL} on shop @ soho  (sent 2" in line)
        assert lines[at + 1].strip() == "This listing cannot be changed at the moment."
        assert not any("submissionId" in line for line in lines)
        (told,) = (line for line in lines if "<html>" in line)
        assert told.endswith(" ...")
        assert len(told) < 250
        answers = {row["listing_key"]: row["answered"] for row in typed(shop, "replay", "--format", "json").lines()}
        assert answers == {SMALL: answer, "k2": long}


def test_readiness_is_told_from_the_last_run_without_asking_anybody(waiting: SmallShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMALL_SHOP_TOKEN", "x")
    told = typed(waiting, "check", "--readiness", "--format", "json")
    rows = {row["measure"]: row for row in told.lines() if row["system"] == "shop"}
    assert told.code == 4
    assert rows["first push"]["value"] == 3
    assert (rows["first push raises"]["value"], rows["first push lowers"]["value"]) == (694, 4)
    assert (rows["first push is worth"]["value"], rows["without a price"]["value"]) == (1384.0, 1)
    said = typed(waiting, "check", "--readiness", "--system", "shop")
    assert said.code == 4
    assert "Not ready for mode auto: proved so far." in said.out


def test_readiness_of_a_system_to_which_nothing_is_sent_says_exactly_that(
    waiting: SmallShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMALL_SHOP_TOKEN", "x")
    said = typed(waiting, "check", "--readiness", "--system", "till")
    nothing = 'It has nothing to push in any mode: it offers nothing, and nothing is booked into it (absorbs = "own").'
    assert (said.code, said.out.strip().splitlines()[-1]) == (0, nothing)


def test_a_number_is_accepted_as_it_is_and_explain_tells_by_whom(waiting: SmallShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMALL_SHOP_TOKEN", "x")
    said = typed(waiting, "accept", "shop", HELD, "--by", "ana", "--note", "a display")
    assert said.code == 0, said.err
    assert "700 is not sent in its place" in said.err
    assert "accepted by ana: 10 as it is: a display" in typed(waiting, "explain", HELD).out
    assert HELD not in typed(waiting, "plan").out
    unknown = typed(waiting, "accept", "shop", "k99")
    assert (unknown.code, "has no listing 'k99'" in unknown.err) == (2, True)


def test_a_decision_is_kept_with_who_and_why_and_is_told_by_explain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMALL_SHOP_TOKEN", "x")
    with small_shop(tmp_path) as shop:
        shop.reload('mode = "auto"', 'mode = "approve"')
        shop.lies(SMALL, 6)
        shop.lies(UNPRICED, 14)
        shop.run()
        plan = typed(shop, "plan", "--format", "json").lines()
        assert typed(shop, "approve", "--max-money", "50", "--by", "ana", "--note", "counted").code == 0
        assert typed(shop, "approve", "--all", "--refuse", "--by", "ben", "--note", "not today").code == 0
        shop.run()
        assert (shop.shows(SMALL), shop.shows(UNPRICED)) == (6, 10)
        (sent,) = shop.shop.written
        (shown,) = (row for row in plan if row["listing_key"] == SMALL)
        assert (sent.correction_id, sent.quantity, sent.compare) == (shown["correction_id"], shown["to_qty"], shown["from_qty"])
        explained = typed(shop, "explain", SMALL).out
        assert "approved by ana: counted" in explained
        assert "verified by invbi: read back 6" in explained
        assert "refused by ben: not today" in typed(shop, "explain", UNPRICED).out
        (letter,) = typed(shop, "replay", "--format", "json").lines()
        assert letter["why"] == "refused by ben: not today"
        readiness = typed(shop, "check", "--readiness", "--format", "json").lines()
        assert next(row["value"] for row in readiness if row["measure"] == "first push") == 0
        assert shop.run().findings.get("push_failed", 0) == 0


def test_nothing_is_released_to_a_system_in_mode_observe(tmp_path: Path) -> None:
    with small_shop(tmp_path) as shop:
        shop.reload('mode = "auto"', 'mode = "observe"')
        shop.lies(SMALL, 6)
        shop.run()
        said = typed(shop, "approve", "--all")
        assert "approved 0" in said.err
        assert 'set mode = "approve" first' in said.err
        assert shop.corrections("approved").is_empty()


def test_what_was_read_long_ago_says_nothing_of_a_push_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMALL_SHOP_TOKEN", "x")
    with small_shop(tmp_path, at=datetime.now(UTC) - timedelta(days=2)) as shop:
        shop.reload('mode = "auto"', 'mode = "approve"')
        said = typed(shop, "check", "--readiness", "--system", "shop")
        assert "Not ready" in said.out
        assert "since it was read" in said.out.split("Not ready")[1]
