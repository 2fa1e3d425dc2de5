"""What the event process writes of itself: lines that machines and people read, and nothing that a stranger sent."""

import asyncio
import gc
import io
import json
import logging
from collections.abc import Iterator

import pytest

from invbi_pipeline.errors import Unreachable
from invbi_pipeline.live.logs import LogFormat, begin_logging

log = logging.getLogger("invbi.test")


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root, levels = logging.getLogger(), {}
    handlers, level = root.handlers[:], root.level
    levels = {name: one.level for name, one in logging.Logger.manager.loggerDict.items() if isinstance(one, logging.Logger)}
    yield
    root.handlers[:], root.level = handlers, level
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


def test_a_line_of_json_holds_what_belongs_to_it() -> None:
    begin_logging(LogFormat.JSON, "info", written := io.StringIO())
    log.info("%s was swept: %d rows", "shop", 3, extra={"system": "shop", "rows": 3})
    said = json.loads(written.getvalue())
    assert said.pop("at").endswith("+00:00")
    assert said == {"level": "info", "logger": "invbi.test", "message": "shop was swept: 3 rows", "system": "shop", "rows": 3}


@pytest.mark.parametrize("how", LogFormat)
def test_of_an_error_that_is_not_ours_the_kind_and_the_place_are_written_and_not_its_text(how: LogFormat) -> None:
    begin_logging(how, "info", written := io.StringIO())
    try:
        int("the buyer's name")
    except ValueError:
        log.exception("it broke")
    line = written.getvalue()
    assert line.count("\n") == 1
    assert "ValueError" in line
    assert "test_logs.py" in line
    assert "buyer" not in line


def test_an_error_that_nobody_waited_for_is_not_quoted_either() -> None:
    begin_logging(LogFormat.JSON, "info", written := io.StringIO())

    async def fails() -> None:
        raise ValueError("the buyer's name")

    async def leaves_it() -> None:
        tasks = {asyncio.create_task(fails())}
        await asyncio.wait(tasks)
        tasks.clear()
        gc.collect()

    asyncio.run(leaves_it())
    assert "never retrieved" in written.getvalue()
    assert "buyer" not in written.getvalue()


def test_of_errors_that_came_together_the_first_is_named() -> None:
    begin_logging(LogFormat.TEXT, "info", written := io.StringIO())
    try:
        raise ExceptionGroup("two", [ValueError("hush"), KeyError("hush")])
    except ExceptionGroup:
        log.exception("it broke")
    assert "ValueError" in written.getvalue()
    assert "hush" not in written.getvalue()


def test_our_own_errors_are_written_with_their_words() -> None:
    begin_logging(LogFormat.TEXT, "info", written := io.StringIO())
    try:
        raise Unreachable("The till did not answer.")
    except Unreachable:
        log.exception("it broke")
    assert "Unreachable: The till did not answer." in written.getvalue()


def test_libraries_are_heard_only_when_something_is_wrong() -> None:
    begin_logging(LogFormat.TEXT, "debug", written := io.StringIO())
    for name in ("httpx", "botocore", "uvicorn.error", "a_library_nobody_thought_of"):
        logging.getLogger(name).setLevel(logging.INFO)  # as some libraries do
        logging.getLogger(name).info("POST https://shop.example/?token=hush")
    log.debug("ours")
    assert written.getvalue().splitlines()[0].endswith("ours")
    assert "hush" not in written.getvalue()
