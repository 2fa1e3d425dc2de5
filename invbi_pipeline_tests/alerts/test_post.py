"""Messages reach a real webhook; no address is ever in a log or an error."""

import logging
from collections.abc import Iterator

import pytest

from invbi_pipeline.alerts.post import Message, beat, deliver, send
from invbi_pipeline.errors import TransientError
from invbi_pipeline_tests.alerts.hook import Heard, hook

MESSAGE = Message("invbi: 1 × oversold", "Three too many.")


@pytest.fixture
def listener() -> Iterator[Heard]:
    with hook() as heard:
        yield heard


def test_a_message_reaches_a_webhook(listener: Heard) -> None:
    assert deliver(MESSAGE, [f"json://127.0.0.1:{listener.port}/hook"]) == []
    assert listener.messages[0]["title"] == MESSAGE.title
    assert MESSAGE.body in listener.messages[0]["message"]


def test_one_dead_address_keeps_nobody_else_from_hearing(listener: Heard) -> None:
    assert deliver(MESSAGE, ["json://127.0.0.1:9/", f"json://127.0.0.1:{listener.port}/", "no address"]) == [0, 2]
    assert listener.titles == [MESSAGE.title]


def test_what_failed_is_named_by_its_place_in_the_configuration_alone() -> None:
    with pytest.raises(TransientError, match=r"alerts\.urls\.0") as caught:
        send(MESSAGE, ["json://user:secretword@127.0.0.1:9/path-token"])
    assert "secretword" not in str(caught.value)
    assert "path-token" not in str(caught.value)


def test_no_log_of_any_library_holds_an_address(listener: Heard, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("apprise", "urllib3", "httpx", "httpcore"):
        caplog.set_level(logging.DEBUG, logger=name)
    deliver(MESSAGE, [f"json://127.0.0.1:{listener.port}/path-token", "json://me:secretword@127.0.0.1:9/path-token"])
    beat(f"http://127.0.0.1:{listener.port}/path-token")
    beat("http://127.0.0.1:9/path-token")
    assert listener.messages
    assert "path-token" not in caplog.text
    assert "secretword" not in caplog.text


def test_a_beat_calls_the_watcher_and_says_whether_it_answered(listener: Heard) -> None:
    address = f"http://127.0.0.1:{listener.port}/ping/1"
    assert beat(address)
    assert listener.beats == ["/ping/1"]
    listener.status = 500
    assert not beat(address)
    assert not beat("http://127.0.0.1:9/")
    assert not beat("http://[not an address")
