"""Every request the Square channel sends and every answer it gets is one of the published model."""

import asyncio
from functools import lru_cache

from invbi_pipeline.channels.protocol import Write
from invbi_pipeline.domain.words import CorrectionKind, Dataset
from invbi_pipeline.sandbox.contract import Line
from invbi_pipeline_tests.channels.square.till import till
from invbi_pipeline_tests.openapi import OpenApi
from invbi_pipeline_tests.shared import shared


@lru_cache
def model() -> OpenApi:
    return OpenApi(shared("specs/square/api.json"))


def test_all_requests_and_answers_obey_the_published_model() -> None:
    shop = till()
    key, soho = shop.keys[0], shop.places[0]
    order = shop.account.order([Line(key, 2)], soho, pos=True)
    shop.account.refund(order, key, 1, soho)
    shop.account.wire.reject_writes = {shop.keys[1]}

    async def everything() -> None:
        for dataset in Dataset:
            first = await shop.channel.read(dataset)
            await shop.channel.read(dataset, first.cursor)
        await shop.channel.check()
        await shop.channel.read_back([(key, soho)])
        bad = Write("c1", CorrectionKind.SET, shop.keys[1], soho, 3, None, "k1", occurred_at=shop.clock.now())
        await shop.write(Write("c0", CorrectionKind.SET, key, soho, 3, None, "k0"), bad)
        await shop.write(Write("p", CorrectionKind.POST, key, soho, -1, None, "k2", reference="web/1"))

    asyncio.run(everything())
    for answer in shop.recorder.answers:
        model().check(answer)
    assert len(shop.recorder.answers) >= 15


def test_the_token_is_in_the_header_alone() -> None:
    shop = till()
    asyncio.run(shop.channel.read(Dataset.LOCATIONS))
    request = shop.recorder.answers[0].request
    assert request.headers["Authorization"] == "Bearer EAAA-token-of-the-till"
    assert request.headers["Square-Version"] == "2026-05-20"
    assert "EAAA" not in str(request.url)
