from datetime import UTC, datetime

import pytest

from invbi_pipeline.channels.retry import retry_after

NOW = datetime(2026, 9, 1, 9, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "value", "seconds"),
    [
        ("Retry-After", "30", 30),
        ("Retry-After", "2.0", 2),
        ("Retry-After", "0", 0),
        ("Retry-After", "Tue, 01 Sep 2026 09:00:45 GMT", 45),
        ("Retry-After", "Tuesday, 01-Sep-26 09:00:45 GMT", 45),
        ("Retry-After", "2026-09-01T09:01:00Z", 60),
        ("Retry-After", "2026-09-01T09:01:00", 60),
        ("Retry-After", f"{NOW.timestamp() + 12:.0f}", 12),
        ("Retry-After", f"{(NOW.timestamp() + 12) * 1000:.0f}", 12),
        ("Retry-After", "Tue, 01 Sep 2026 08:00:00 GMT", 0),
        ("retry-after-ms", "1500", 1.5),
        ("x-ms-retry-after-ms", "250", 0.25),
        ("X-Retry-After", "9", 9),
        ("X-Rate-Limit-Time-Reset-Ms", "3000", 3),
        ("X-RateLimit-Reset", f"{NOW.timestamp() + 5:.0f}", 5),
        ("X-RateLimit-Reset", "5", 5),
        ("X-RateLimit-Reset-After", "1.25", 1.25),
        ("RateLimit-Reset", "8", 8),
    ],
)
def test_every_spelling_of_a_pause_is_understood(header: str, value: str, seconds: float) -> None:
    assert retry_after({header: value}, NOW) == pytest.approx(seconds)


@pytest.mark.parametrize("value", ["", "soon", "nan", "inf", "2026-13-45"])
def test_what_is_no_pause_says_nothing(value: str) -> None:
    assert retry_after({"Retry-After": value}, NOW) is None


def test_a_finer_header_wins_over_a_coarser_one() -> None:
    assert retry_after({"Retry-After": "2", "Retry-After-Ms": "1200"}, NOW) == pytest.approx(1.2)
