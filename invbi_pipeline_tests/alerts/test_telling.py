"""One alert for what is alike, one reminder a period, one note when it is over."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from invbi_pipeline.alerts.post import Tone
from invbi_pipeline.alerts.telling import Rules, Said, memory, remembered, telling
from invbi_pipeline.alerts.troubles import Trouble

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
RULES = Rules(timedelta(hours=1), timedelta(days=1), timedelta(minutes=15))
STEP = timedelta(minutes=5)


def trouble(*members: str, key: str = "held|shop") -> Trouble:
    return Trouble(key, "2 held on shop", ("one", "two"), frozenset(members))


class Watch:
    """Looks every five minutes, and remembers through the state store's text."""

    def __init__(self) -> None:
        self.now, self.said, self.titles = NOW, dict[str, Said](), list[str]()

    def look(self, *there: Trouble, times: int = 1) -> list[str]:
        """Return the title of each message that these looks gave."""
        told: list[str] = []
        for _ in range(times):
            found = telling(there, self.said, self.now, RULES)
            self.said = remembered(memory(found.said))
            told += [found.message.title] if found.message else []
            self.now += STEP
        return told


def test_what_stands_is_told_once_and_reminded_of_once_a_day() -> None:
    watch = Watch()
    assert watch.look(trouble("a"), times=288) == ["invbi: 2 held on shop"]
    assert watch.look(trouble("a"), times=288) == ["invbi: 1 still so"]


def test_many_alike_within_the_window_are_one_alert_and_one_more_after_it() -> None:
    watch = Watch()
    told = [title for n in range(24) for title in watch.look(trouble(*(f"m{i}" for i in range(n + 1))))]
    assert told == ["invbi: 2 held on shop"] * 2


def test_what_comes_and_goes_is_told_once_and_its_end_once_it_stays_away() -> None:
    watch = Watch()
    told = [title for n in range(10) for title in watch.look(*([trouble("a")] if n % 2 == 0 else []))]
    assert told == ["invbi: 2 held on shop"]
    assert watch.look(times=12) == ["invbi: 1 over"]
    assert watch.look(times=288) == []


def test_what_comes_back_within_the_window_is_told_when_the_window_is_over_if_it_is_still_there() -> None:
    watch = Watch()
    watch.look(trouble("a"))
    assert watch.look(times=4) == ["invbi: 1 over"]
    assert watch.look(trouble("a"), times=7) == []
    assert watch.look(trouble("a"), times=1) == ["invbi: 2 held on shop"]


def test_different_troubles_of_one_look_are_one_message() -> None:
    found = telling([trouble("a"), trouble(key="blind|till")], {}, NOW, RULES)
    assert found.message is not None
    assert found.message.title == "invbi: 2 new"
    assert found.message.body.count("2 held on shop") == 2


def test_what_an_older_version_remembered_is_no_obstacle() -> None:
    assert remembered('{"f-1": "2026-03-02T11:00:00+00:00"}') == {}
    assert remembered("") == {}


def test_new_trouble_is_told_as_trouble_what_waits_or_stands_as_a_warning_and_its_end_as_a_recovery() -> None:
    def tone(*there: Trouble, since: datetime | None = None, gone: datetime | None = None) -> Tone:
        said = {"held|shop": Said("2 held on shop", since, since, gone=gone)} if since else {}
        message = telling(there, said, NOW, RULES).message
        assert message is not None
        return message.tone

    waits = replace(trouble("a"), grave=False)
    assert tone(trouble("a")) is Tone.TROUBLE
    assert tone(waits) is Tone.WARNING
    assert tone(waits, trouble("b", key="blind|till")) is Tone.TROUBLE
    assert tone(trouble(), since=NOW - timedelta(days=2)) is Tone.WARNING
    assert tone(since=NOW - timedelta(hours=2), gone=NOW - timedelta(hours=1)) is Tone.RECOVERY
