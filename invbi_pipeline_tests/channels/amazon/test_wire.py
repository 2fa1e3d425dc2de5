"""Every request the Amazon channel sends and every answer it gets is one of the published models."""

import asyncio
import json
from functools import lru_cache

import jsonschema

from invbi_pipeline.domain.words import Dataset
from invbi_pipeline.sandbox.contract import Line
from invbi_pipeline_tests.channels.amazon.shop import Shop, set_to, shop
from invbi_pipeline_tests.openapi import OpenApi
from invbi_pipeline_tests.shared import shared


@lru_cache
def model() -> OpenApi:
    return OpenApi(shared("specs/amazon-sp-api/models"))


def judge(seller: Shop) -> int:
    judged = 0
    for answer in seller.recorder.answers:
        if "/auth/" not in answer.request.url.path and "/documents/" not in answer.request.url.path.replace("30/documents", ""):
            model().check(answer)
            judged += 1
    return judged


async def everything(seller: Shop) -> None:
    for dataset in (Dataset.LISTINGS, Dataset.STOCK, Dataset.ORDERS):
        first = await seller.read(dataset)
        await seller.read(dataset, first.cursor)
    await seller.channel.check()
    await seller.channel.read_back([("M-0", ""), ("F-0", "AMAZON_EU")])
    await seller.channel.read_back([(f"M-{n}", "") for n in range(30)])
    await seller.write(set_to("M-0", 3), set_to("M-1", 3))


def test_requests_and_answers_of_pages_and_patches_obey_the_models() -> None:
    seller = shop(merchant=45, platform=60)
    for _ in range(3):
        seller.account.fulfil(seller.account.order([Line("M-0", 1)]))
    seller.account.order([Line("F-0", 1)], paid=False)
    seller.account.wire.reject_writes = {"M-1"}
    seller.clock.pass_by(minutes=5)
    asyncio.run(everything(seller))
    assert judge(seller) >= 20


def test_requests_and_answers_of_reports_and_feeds_obey_the_models() -> None:
    seller = shop(merchant=1_010, platform=2)
    seller.account.wire.reject_writes = {"M-1"}
    asyncio.run(seller.read(Dataset.STOCK))
    asyncio.run(seller.write(*[set_to(f"M-{n}", 3) for n in range(130)]))
    assert judge(seller) >= 10


def test_a_feeds_document_obeys_its_schema() -> None:
    schema = json.loads(shared("specs/amazon-sp-api/schemas/feeds/listings-feed-schema-v2.json").read_text())
    seller = shop(merchant=130)
    asyncio.run(seller.write(*[set_to(f"M-{n}", 3) for n in range(130)]))
    (upload,) = seller.asked("/documents/", "PUT")
    assert upload.headers["Content-Type"] == "application/json; charset=UTF-8"
    assert "x-amz-access-token" not in upload.headers
    document = json.loads(upload.content)
    jsonschema.validate(document, schema)
    assert {patch["op"] for message in document["messages"] for patch in message["patches"]} == {"merge"}


def test_a_request_carries_its_token_and_its_user_agent_in_headers() -> None:
    seller = shop()
    asyncio.run(seller.read(Dataset.LISTINGS))
    request = seller.asked("/items/")[0]
    assert request.headers["x-amz-access-token"].startswith("Atza|")
    assert request.headers["user-agent"] == "invbi/0.1 (Language=Python)"
    assert "Atz" not in str(request.url)
