"""Crashes reach a Sentry server, a real one in small, without what was being worked on."""

import gzip
import logging
import threading
import urllib.request
from collections.abc import Iterator

import pytest
import sentry_sdk
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from invbi_pipeline.config import Secret, ServeConfig
from invbi_pipeline.errors import ConfigError
from invbi_pipeline.live.crashes import tell_of_crashes
from invbi_pipeline_tests.sandbox.serving import serving


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[list[bytes], threading.Event]]:
    """Crashes are told to a server; what came there, and when the first did."""
    envelopes: list[bytes] = []
    came = threading.Event()

    async def envelope(request: Request) -> JSONResponse:
        body = await request.body()
        envelopes.append(gzip.decompress(body) if request.headers.get("content-encoding") == "gzip" else body)
        came.set()
        return JSONResponse({})

    with serving(Starlette(routes=[Route("/api/1/envelope/", envelope, methods=["POST"])])) as address:
        monkeypatch.setenv("SENTRY", address.replace("http://", "http://key@") + "/1")
        assert tell_of_crashes(ServeConfig(sentry=Secret(env="SENTRY")))
        yield envelopes, came
        sentry_sdk.init()


def test_a_crash_is_told_by_kind_and_place_and_no_text_or_variable_leaves(
    told: tuple[list[bytes], threading.Event],
) -> None:
    envelopes, came = told
    buyer = "Private Person"
    try:
        int(buyer)
    except ValueError:
        logging.getLogger("invbi.serve").exception("it broke")
    assert came.wait(20)
    sent = b"".join(envelopes)
    assert b"ValueError" in sent
    assert b"test_crashes.py" in sent
    assert b"Private" not in sent


def test_an_error_without_an_exception_is_told_in_our_own_words_and_not_with_what_they_were_filled_with(
    told: tuple[list[bytes], threading.Event],
) -> None:
    envelopes, _ = told
    logging.getLogger("invbi.receiver").error("%s: a delivery cannot be verified: %s", "till", "Private Person")
    logging.getLogger("somebody.else").error("Private Person is away")
    sentry_sdk.flush(20)
    sent = b"".join(envelopes)
    assert b"a delivery cannot be verified" in sent
    assert b"invbi.receiver" in sent
    assert b"an error of somebody.else" in sent
    assert b"Private" not in sent


@pytest.mark.usefixtures("told")
def test_what_is_sent_to_others_does_not_bear_the_projects_key() -> None:
    heard: list[str] = []

    async def other(request: Request) -> JSONResponse:
        heard.extend(f"{name}: {value}" for name, value in request.headers.items())
        return JSONResponse({})

    with serving(Starlette(routes=[Route("/", other)])) as address:
        urllib.request.urlopen(address).close()
    assert heard
    assert [one for one in heard if one.startswith(("baggage", "sentry-trace"))] == []


def test_without_an_address_nothing_is_told_and_a_wrong_one_is_named_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not tell_of_crashes(ServeConfig())
    monkeypatch.setenv("SENTRY", "hush")
    with pytest.raises(ConfigError, match="SENTRY") as wrong:
        tell_of_crashes(ServeConfig(sentry=Secret(env="SENTRY")))
    assert "hush" not in str(wrong.value)
