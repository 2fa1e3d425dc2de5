"""Shopify's search syntax: `updated_at:>='2026-09-01T00:00:00Z' AND (sku:A-1 OR sku:B*) -status:closed`.

A filter the connection does not know is left out of the search, and only a warning under `extensions.search` says so
(https://shopify.dev/docs/api/usage/search-syntax): whoever does not look at it believes everything was asked for.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

__all__ = ["Fields", "Search", "parse_search"]

Fields = Mapping[str, Callable[[Any], Any]]  # filter name -> what an entity has there: str, int, bool, datetime, or a tuple

_TOKEN = re.compile(
    r"""\s*(?:(?P<paren>[()])
      | (?P<minus>-(?=\S))
      | (?P<word>(?:AND|OR|NOT)(?=[\s(]))
      | (?P<field>[A-Za-z_]+)\s*:\s*(?P<op>>=|<=|>|<|=)?\s*(?P<value>'[^']*'|"[^"]*"|[^\s()]+)
      | (?P<bare>'[^']*'|"[^"]*"|[^\s()]+))""",
    re.VERBOSE,
)
_Test = Callable[[Any], bool]


@dataclass(slots=True)
class Search:
    """A parsed query: `matches(entity)`, and the warnings it earned."""

    query: str
    matches: _Test
    warnings: list[dict[str, str]] = field(default_factory=list)


def parse_search(query: str, fields: Fields) -> Search:
    """Parse a query against the filters a connection knows. Unknown filters and unreadable values only warn."""
    parser = _Parser(query, fields)
    return Search(query, parser.any_of(), parser.warnings)


class _Parser:
    def __init__(self, query: str, fields: Fields) -> None:
        self._tokens = [match for match in _TOKEN.finditer(query) if match.group().strip()]
        self._at = 0
        self._fields = fields
        self.warnings: list[dict[str, str]] = []

    def any_of(self) -> _Test:
        tests = [self._all_of()]
        while self._word("OR"):
            tests.append(self._all_of())
        return tests[0] if len(tests) == 1 else lambda entity: any(test(entity) for test in tests)

    def _all_of(self) -> _Test:
        tests: list[_Test] = []
        while (token := self._peek()) is not None and token["paren"] != ")" and token["word"] != "OR":
            self._word("AND")
            test = self._one()
            if test is not None:
                tests.append(test)
        if len(tests) == 1:
            return tests[0]
        return lambda entity: all(test(entity) for test in tests)

    def _one(self) -> _Test | None:
        token = self._peek()
        if token is None:
            return None
        self._at += 1
        if token["minus"] or token["word"] == "NOT":
            inner = self._one()
            return None if inner is None else lambda entity: not inner(entity)
        if token["paren"] == "(":
            group = self.any_of()
            if (closing := self._peek()) is not None and closing["paren"] == ")":
                self._at += 1
            return group
        if token["field"]:
            return self._term(token["field"].lower(), token["op"] or "=", token["value"].strip("'\""))
        bare = (token["bare"] or "").strip("'\"")
        return self._term("default", "=", bare) if bare and "default" in self._fields else None

    def _term(self, name: str, operator: str, text: str) -> _Test | None:
        read = self._fields.get(name)
        if read is None:
            message = "Invalid search field for this query."
            self.warnings.append({"field": name, "message": message, "code": "invalid_field"})
            return None
        compare = _COMPARE[operator]

        def test(entity: Any) -> bool:
            has = read(entity)
            values = has if isinstance(has, tuple) else (has,)
            return any(value is not None and _holds(value, compare, operator, text) for value in values)

        return test

    def _peek(self) -> re.Match[str] | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _word(self, word: str) -> bool:
        token = self._peek()
        if token is not None and token["word"] == word:
            self._at += 1
            return True
        return False


_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": lambda has, wanted: has == wanted,
    ">=": lambda has, wanted: has >= wanted,
    "<=": lambda has, wanted: has <= wanted,
    ">": lambda has, wanted: has > wanted,
    "<": lambda has, wanted: has < wanted,
}


def _holds(has: Any, compare: Callable[[Any, Any], bool], operator: str, text: str) -> bool:
    if isinstance(has, bool):
        return has == (text.lower() == "true")
    if isinstance(has, datetime):
        moment = _moment(text)
        return moment is not None and compare(has, moment)
    if isinstance(has, int):
        digits = text.rpartition("/")[2]
        return digits.lstrip("-").isdigit() and compare(has, int(digits))
    known, wanted = str(has).casefold(), text.casefold()
    if operator == "=" and wanted.endswith("*"):
        return known.startswith(wanted[:-1])
    return compare(known, wanted)


@lru_cache(maxsize=4096)
def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
