"""Messages reach a real webhook and mail server, and do nothing there; no address is ever in a log or an error."""

import logging
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from invbi_pipeline.alerts.post import Message, Tone, beat, deliver, send
from invbi_pipeline.errors import TransientError
from invbi_pipeline_tests.alerts.hook import Heard, hook
from invbi_pipeline_tests.alerts.mailbox import Mailbox, mailbox

STRANGE = """<!channel> <@U1> @everyone <at>Ana</at>
<a href="http://evil.test/a">here</a> <img src=x> <http://evil.test/b|click> www.evil.test
[click](https://evil.test/c) ![pixel](https://evil.test/d)
[e]: https://evil.test/e"""
SLACK = f"slack://{'A' * 9}/{'B' * 9}/{'c' * 24}/#general"
TEAMS = f"workflows://teams.test:443/{'a' * 32}/{'b' * 32}/"
DISCORD = f"discord://{'1' * 18}/{'a' * 68}/"

MESSAGE = Message("invbi: 1 × oversold", "Three too many.")


@pytest.fixture
def listener() -> Iterator[Heard]:
    with hook() as heard:
        yield heard


@pytest.fixture
def mail() -> Iterator[Mailbox]:
    with mailbox() as box:
        yield box


@pytest.fixture
def platforms(listener: Heard, monkeypatch: pytest.MonkeyPatch) -> Heard:
    """The listener, in the place of Slack, Teams and whoever else has an address of its own."""
    send_on = requests.Session.send

    def here(session: requests.Session, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        request.url = f"http://127.0.0.1:{listener.port}{urlsplit(request.url or '').path}"
        return send_on(session, request, **kwargs)

    monkeypatch.setattr(requests.Session, "send", here)
    return listener


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


def test_an_e_mail_is_text_with_its_lines_and_nothing_of_it_is_mark_up(mail: Mailbox) -> None:
    sent = Message("invbi: <b>1</b>", f"{STRANGE}\n  a second line\n\nand a third")
    assert deliver(sent, [f"mailto://127.0.0.1:{mail.port}?from=us@shop.test&to=ana@shop.test&mode=insecure"]) == []
    (text,) = mail.texts("plain")
    assert mail.texts("html") == []
    assert len(text.splitlines()) == len(sent.body.splitlines())
    assert text.splitlines()[-3:] == ["  a second line", "", "and a third"]


def test_an_e_mail_that_is_to_be_html_shows_the_text_as_it_is(mail: Mailbox) -> None:
    address = f"mailto://127.0.0.1:{mail.port}?from=us@shop.test&to=ana@shop.test&mode=insecure&format=html"
    assert deliver(Message("x", STRANGE), [address]) == []
    (shown,) = mail.texts("html")
    assert shown.count("<br/>") == STRANGE.count("\n")
    assert "<" not in shown.replace("<br/>", "")
    assert "://" not in shown


@pytest.mark.parametrize("address", [SLACK, SLACK + "?blocks=yes&format=markdown", TEAMS, DISCORD, "json://json.test/"])
def test_nothing_a_stranger_wrote_pings_or_links_wherever_it_is_shown(platforms: Heard, address: str) -> None:
    assert deliver(Message(f"invbi: {STRANGE.splitlines()[2]}", STRANGE), [address]) == []
    ours = ("http://adaptivecards.io/schemas/adaptive-card.json", "https://github.com/caronc/apprise")
    texts = [text for text in _texts(platforms.messages[0]) if not text.startswith(ours)]
    shown = "\n".join(texts)
    assert "evil.test/c" in shown.replace("\\", "")
    for live in ("<", "](", "://", "www.", "@"):
        assert live not in shown, texts


def _texts(payload: object) -> Iterator[str]:
    """Yield every text of a payload but the pictures, which are the library's."""
    if isinstance(payload, dict):
        for name, value in payload.items():
            if name not in ("icon_url", "avatar_url", "footer_icon", "url", "image_url"):
                yield from _texts(value)
    elif isinstance(payload, list):
        for value in payload:
            yield from _texts(value)
    elif isinstance(payload, str):
        yield payload


@pytest.mark.parametrize("tone", Tone)
def test_a_message_says_how_bad_it_is(listener: Heard, tone: Tone) -> None:
    assert deliver(Message("x", "y", tone), [f"json://127.0.0.1:{listener.port}/"]) == []
    assert listener.messages[0]["type"] == tone.value


def test_ordinary_words_are_left_as_they_are(listener: Heard) -> None:
    body = "The correction of TEE-1 @ soho to 5: 8 -> 5 & more (`invbi plan`), 100% [a] *b* _c_."
    deliver(Message("x", body), [f"json://127.0.0.1:{listener.port}/"])
    assert listener.messages[0]["message"] == body
