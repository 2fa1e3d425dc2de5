"""What is typed, what a cell holds, what is shown: RAW and USER_ENTERED input, and number formats.

A cell's value is a str, bool, int, float or None. Dates are serial days since 1899-12-30 (Sheets API guide, "Date and time
values"). Formulas are kept, not calculated: enough to prove that one came in. Only HYPERLINK shows its label.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

__all__ = ["Value", "entered", "shown", "typed_format"]

Value = str | bool | int | float | None
_EPOCH = datetime(1899, 12, 30, tzinfo=UTC)
_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?:[eE][-+]?\d+)?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[ T]\d{2}:\d{2}(?::\d{2})?)?")
_LINK = re.compile(r'=HYPERLINK\(\s*"((?:[^"]|"")*)"\s*[,;]\s*"((?:[^"]|"")*)"\s*\)', re.IGNORECASE)
_DIGITS = re.compile(r"[#0][#0,]*(?:\.[#0]+)?")


def entered(given: Any, user_entered: bool) -> tuple[Value, str]:
    """Return (value, formula) of one input value. RAW keeps text as text; USER_ENTERED reads it as if typed by a person."""
    if given is None or isinstance(given, bool | int | float):
        return given, ""
    text = str(given)
    if not user_entered or not text:
        return text or None, ""
    if text.startswith("'"):
        return text[1:], ""
    if text.startswith("=") and len(text) > 1:
        return _calculated(text), text
    number = _number(text)
    if number is not None:
        return number, ""
    if text[0] in "+-" and len(text) > 1 and not text[1].isspace():
        return _calculated("=" + text), "=" + text
    if text.upper() in {"TRUE", "FALSE"}:
        return text.upper() == "TRUE", ""
    if _DATE.fullmatch(text):
        return _serial(text), ""
    return text, ""


def typed_format(given: Any, value: Value) -> Mapping[str, str] | None:
    """Return the number format that typing such a text brings with it: a percentage, a date."""
    if not isinstance(given, str) or not isinstance(value, int | float) or isinstance(value, bool):
        return None
    if given.strip().endswith("%"):
        return {"type": "PERCENT", "pattern": "0.00%"}
    if _DATE.fullmatch(given):
        return {"type": "DATE", "pattern": "yyyy-mm-dd"} if len(given) == len("2026-09-01") else _DATE_TIME
    return None


_DATE_TIME: Mapping[str, str] = {"type": "DATE_TIME", "pattern": "yyyy-mm-dd hh:mm"}
_BY_TYPE: Mapping[str, str] = {
    "NUMBER": "#,##0.00",
    "PERCENT": "0.00%",
    "CURRENCY": "$#,##0.00",
    "DATE": "yyyy-mm-dd",
    "TIME": "hh:mm:ss",
    "DATE_TIME": "yyyy-mm-dd hh:mm:ss",
}


def shown(value: Value, style: Mapping[str, Any] | None) -> str:
    """Return a value as the sheet shows it, in the cell's number format."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str):
        return value
    number_format = (style or {}).get("numberFormat") or {}
    kind = number_format.get("type", "")
    pattern = number_format.get("pattern") or _BY_TYPE.get(kind, "")
    if kind in {"DATE", "TIME", "DATE_TIME"}:
        return _moment(value, pattern)
    if not pattern or kind == "TEXT":
        return _general(value)
    return _patterned(float(value), pattern)


def _calculated(formula: str) -> Value:
    link = _LINK.fullmatch(formula)
    return link.group(2).replace('""', '"') if link else "#ERROR!"


def _number(text: str) -> int | float | None:
    bare = text.strip().replace("£", "").replace("$", "").replace("€", "")
    percent = bare.endswith("%")
    bare = bare.removesuffix("%").strip()
    if not any(character.isdigit() for character in bare) or not _NUMBER.fullmatch(bare):
        return None
    number = float(bare.replace(",", "")) / (100 if percent else 1)
    return int(number) if number.is_integer() and abs(number) < 1e15 else number


def _serial(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    days = (moment.replace(tzinfo=UTC) - _EPOCH).total_seconds() / 86_400
    return int(days) if days.is_integer() else days


def _general(value: float) -> str:
    if isinstance(value, int) or value.is_integer():
        return str(int(value))
    return f"{value:.10g}"


def _patterned(value: float, pattern: str) -> str:
    """Format by patterns such as "#,##0.00", "0.0%", "+0;-0;0" or "£#,##0"."""
    sections = pattern.split(";")
    if value < 0 and len(sections) > 1:
        pattern, value = sections[1], -value
    elif value == 0 and len(sections) > 2:
        pattern = sections[2]
    else:
        pattern = sections[0]
    digits = _DIGITS.search(pattern)
    if digits is None:
        return pattern.replace('"', "")
    places = len(digits.group().partition(".")[2])
    number = value * 100 if "%" in pattern else value
    text = f"{number:,.{places}f}" if "," in digits.group() else f"{number:.{places}f}"
    around = (pattern[: digits.start()], pattern[digits.end() :])
    return "".join((around[0], text, around[1])).replace('"', "").replace("\\", "")


def _moment(value: float, pattern: str) -> str:
    moment = _EPOCH + timedelta(days=value)
    moment = (moment + timedelta(milliseconds=500)).replace(microsecond=0)
    names = (
        ("yyyy", f"{moment.year:04d}"),
        ("hh:mm", f"{moment.hour:02d}:{moment.minute:02d}"),
        ("ss", f"{moment.second:02d}"),
        ("mmm", date(2000, moment.month, 1).strftime("%b")),
        ("mm", f"{moment.month:02d}"),
        ("dd", f"{moment.day:02d}"),
        ("hh", f"{moment.hour:02d}"),
    )
    for name, text in names:
        pattern = pattern.replace(name, text)
    return pattern.replace('"', "")
