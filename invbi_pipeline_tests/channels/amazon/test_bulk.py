"""The bulk routes at the size they are for."""

import asyncio
import time

import pytest

from invbi_pipeline.domain.words import Dataset
from invbi_pipeline_tests.channels.amazon.shop import set_to, shop

LISTINGS = 50_000


@pytest.mark.slow
def test_a_catalogue_of_50000_is_read_and_corrected_in_bulk(capsys: pytest.CaptureFixture[str]) -> None:
    seller = shop(merchant=LISTINGS - 100, platform=100)
    told = []

    def measure(what: str, requests: int, started: float, world_began: float) -> None:
        world = seller.clock.now().timestamp() - world_began
        told.append(f"{what}: {requests} requests, {time.perf_counter() - started:.1f} s here, {world:.0f} s of Amazon's time")

    for dataset in (Dataset.LISTINGS, Dataset.STOCK):
        started, world = time.perf_counter(), seller.clock.now().timestamp()
        reading = asyncio.run(seller.read(dataset))
        measure(f"read {LISTINGS} {dataset}", reading.requests, started, world)
        assert next(iter(reading.frames.values())).height == LISTINGS
    started, world, before = time.perf_counter(), seller.clock.now().timestamp(), len(seller.recorder.answers)
    results = asyncio.run(seller.write(*[set_to(f"M-{n}", n % 50) for n in range(LISTINGS - 100)]))
    measure(f"write {LISTINGS - 100} quantities", len(seller.recorder.answers) - before, started, world)
    assert {result.outcome for result in results} == {"accepted"}
    with capsys.disabled():
        print("", *told, sep="\n")
