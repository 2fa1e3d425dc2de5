"""The figures page: each measurement takes its own place, and leaves the others as they were measured."""

from invbi_pipeline.cli.bench.report import BENCHES, Result, Target, page


def measured(name: str, seconds: float, date: str = "2026-11-01 10:00 UTC") -> Result:
    return Result(name, {"seconds": seconds}, (Target("seconds", seconds, "< 5", seconds < 5),), date, "2 cores")


def test_a_measurement_takes_the_place_of_the_one_before_it() -> None:
    before = page(measured("compare", 9.0))
    after = page(measured("compare", 4.0, "2026-11-02 10:00 UTC"), before)
    assert "| seconds | 9 | < 5 | **no** |" in before
    assert "| seconds | 4 | < 5 | yes |" in after
    assert (after.count("## compare"), "9" in after.split("## compare")[1]) == (1, False)


def test_the_others_stay_as_they_were_each_with_its_date() -> None:
    first = page(measured("push", 1.0), page(measured("demo", 2.0)))
    after = page(measured("push", 3.0, "2026-11-02 10:00 UTC"), first)
    assert after.split("## push")[0] == first.split("## push")[0]
    assert "2026-11-01" in after.split("## push")[0]
    assert "2026-11-02" in after.split("## push")[1]


def test_they_stand_in_the_order_in_which_they_are_measured() -> None:
    text = ""
    for name in reversed(list(BENCHES)):
        text = page(measured(name, 1.0), text)
    assert [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")] == list(BENCHES)


def test_a_page_that_was_written_twice_is_the_same_page() -> None:
    once = page(measured("demo", 1.0))
    assert page(measured("demo", 1.0), once) == once
