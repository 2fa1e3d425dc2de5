"""In which order and company corrections go out, and how their results come together."""

import asyncio
from collections.abc import AsyncIterator

import polars as pl
import pytest

from invbi_pipeline.channels.protocol import WriteOutcome, WriteResult
from invbi_pipeline.channels.registry import facts_of
from invbi_pipeline.domain.frames import CORRECTIONS
from invbi_pipeline.errors import Unreachable
from invbi_pipeline.flows.corrections.turns import batches, together


def corrections(lowered: int, raised: int) -> pl.DataFrame:
    """The raises are named first, and each has a larger risk than any lowering."""
    raises = [{"to_qty": 20, "units_at_risk": 1000 + n} for n in range(raised)]
    lowers = [{"to_qty": 0, "units_at_risk": n} for n in range(lowered)]
    rows = [{"correction_id": f"c{n:03d}", "kind": "set", "from_qty": 10, **one} for n, one in enumerate(raises + lowers)]
    return pl.DataFrame(rows, schema=dict(CORRECTIONS))


def test_lowerings_go_first_and_the_largest_risk_of_them_before_the_others() -> None:
    (batch,) = batches(facts_of("shopify"), corrections(2, 2))
    assert batch["correction_id"].to_list() == ["c003", "c002", "c001", "c000"]  # by risk alone: c001 first


def test_where_each_lowering_is_sent_alone_few_are_read_at_a_time_and_raises_go_together() -> None:
    assert [batch.height for batch in batches(facts_of("amazon"), corrections(45, 300))] == [20, 20, 5, 300]


def result(name: str) -> WriteResult:
    return WriteResult(name, WriteOutcome.ACCEPTED, None)


async def sent(*, breaks: bool = False) -> AsyncIterator[WriteResult]:
    """Two requests: of the first both results are known at once."""
    yield result("a")
    yield result("b")
    if breaks:
        raise Unreachable("the line is cut")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    yield result("c")


def heard(answers: AsyncIterator[WriteResult], lists: list[str]) -> None:
    async def hear() -> None:
        async for known in together(answers):
            lists.append("".join(one.correction_id for one in known))

    asyncio.run(hear())


def test_results_known_at_once_come_together_and_never_wait_for_the_next_request() -> None:
    lists: list[str] = []
    heard(sent(), lists)
    assert lists == ["ab", "c"]


def test_results_known_before_it_broke_are_told_before_that() -> None:
    lists: list[str] = []
    with pytest.raises(Unreachable):
        heard(sent(breaks=True), lists)
    assert lists == ["ab"]
