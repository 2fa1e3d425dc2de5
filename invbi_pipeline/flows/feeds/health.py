"""Great Expectations judges every landed batch before it is believed, and writes Data Docs of what it judged.

The figures come from `flows.feed_metrics`; the suite below is what they must keep to, and its result alone decides. One
validation judges all batches of a run, because each costs about 0.1 s however many rows it has.
"""

import json
import logging
import os
import re
import shutil
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import polars as pl

from invbi_pipeline.domain.words import FeedVerdict
from invbi_pipeline.flows.feeds.metrics import METRICS, Metrics

__all__ = ["RULES", "Judgement", "Rule", "judge", "warm_up", "write_data_docs"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One expectation: `column` at least (`floor`) or at most its `limit` column, and what a batch is when it is not."""

    column: str
    limit: str
    floor: bool
    verdict: FeedVerdict
    says: str  # filled from the batch's figures


RULES: Final = (
    Rule("complete", "", floor=True, verdict=FeedVerdict.TRUNCATED, says="paging did not reach its end after {rows} rows"),
    Rule(
        "volume_bp",
        "volume_floor_bp",
        floor=True,
        verdict=FeedVerdict.TRUNCATED,
        says="{rows} rows where {expected_rows} were expected ({volume_bp}; fewer than {volume_floor_bp} are not believed)",
    ),
    Rule(
        "named_bp",
        "named_floor_bp",
        floor=True,
        verdict=FeedVerdict.TRUNCATED,
        says="it knows {named_keys} of the {known_keys} codes known before; {new_keys} new ones{key_example}",
    ),
    Rule(
        "echo_bp",
        "echo_floor_bp",
        floor=True,
        verdict=FeedVerdict.TRUNCATED,
        says="it names {echo_bp} of the listings that its own orders moved since; at least {echo_floor_bp}",
    ),
    Rule(
        "missing_bp",
        "missing_limit_bp",
        floor=False,
        verdict=FeedVerdict.TRUNCATED,
        says="{missing_bp} of the numbers above 0 are gone; at most {missing_limit_bp}",
    ),
    Rule(
        "zeroed_bp",
        "zeroed_limit_bp",
        floor=False,
        verdict=FeedVerdict.MASS_ZERO,
        says="{zeroed} numbers above 0 became 0 or untracked at once ({zeroed_bp} of at most {zeroed_limit_bp})",
    ),
    Rule(
        "regressed_bp",
        "regressed_limit_bp",
        floor=False,
        verdict=FeedVerdict.STALE,
        says="{regressed_bp} of the numbers are older than what was read before; at most {regressed_limit_bp}",
    ),
    Rule(
        "silent_s",
        "silent_limit_s",
        floor=False,
        verdict=FeedVerdict.STALE,
        says="nothing changed for {silent_s} s while others moved; at most {silent_limit_s}",
    ),
)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a batch is held to be, and why when it is not believed."""

    verdict: FeedVerdict
    reason: str


def judge(metrics: Sequence[Metrics]) -> dict[str, Judgement]:
    """Return each batch's judgement by batch id: the verdict of the first rule in `RULES` that it breaks."""
    if not metrics:
        return {}
    figures = {one.batch_id: one.row() for one in metrics}
    broken: dict[str, set[str]] = {}
    for result in _gx().validate(_pandas(metrics)).results:
        if result.exception_info.get("raised_exception"):
            raise RuntimeError(f"Great Expectations could not judge {result.expectation_config.meta}: {result.exception_info}")
        for row in result.result.get("unexpected_index_list") or []:
            broken.setdefault(str(row["batch_id"]), set()).add(str(result.expectation_config.meta["column"]))
    return {batch_id: _judgement(broken.get(batch_id, set()), row) for batch_id, row in figures.items()}


def warm_up() -> None:
    """Import Great Expectations (seconds), so that it is there when the answers are."""
    _gx()


def write_data_docs(batches: pl.DataFrame, folder: Path) -> Path:
    """Render Data Docs of these batches (rows of `raw.batches`) below `folder` and return the page to open.

    It takes about half a second; the site holds the suite and the validation of these batches.
    """
    rows = [json.loads(text) for text in batches["metrics"].to_list()]
    figures = [{name: row.get(name) for name in METRICS} for row in rows if row.get("batch_id")]
    return _gx().docs(_frame(figures), folder)


def _judgement(broken: set[str], figures: Mapping[str, object]) -> Judgement:
    said = [rule for rule in RULES if rule.column in broken]
    if not said:
        return Judgement(FeedVerdict.BELIEVED, "")
    return Judgement(said[0].verdict, _of_one("; ".join(rule.says.format(**_as_read(figures)) for rule in said)))


def _as_read(figures: Mapping[str, object]) -> dict[str, object]:
    """Return the figures as people read them: shares, which are basis points, as percents; whole numbers with separators."""
    whole = {k: v for k, v in figures.items() if isinstance(v, int)}
    return {**figures, **{k: f"{v / 100:g} %" if k.endswith("_bp") else f"{v:,}" for k, v in whole.items()}}


def _of_one(told: str) -> str:
    """Put the noun of a single row or number in the singular."""
    return re.sub(r"\b1 (row|number)s\b", r"1 \1", told)


def _pandas(metrics: Sequence[Metrics]) -> Any:
    return _frame([one.row() for one in metrics])


def _frame(rows: Sequence[Mapping[str, object]]) -> Any:
    """Return the figures as Great Expectations reads them: a pandas frame, nulls as NaN."""
    import pandas as pd

    numbers = [column for rule in RULES for column in (rule.column, rule.limit) if column]
    made = pd.DataFrame([dict(row) for row in rows], columns=["batch_id", "system", "dataset", *numbers])
    return made.astype(dict.fromkeys(numbers, "float64"))


class _GreatExpectations:
    """An ephemeral context with the suite of `RULES`. It keeps no results: what was judged stands in `raw.batches`."""

    _FORMAT: Final = {"result_format": "COMPLETE", "unexpected_index_column_names": ["batch_id", "system", "dataset"]}
    _SITE: Final = "health"

    def __init__(self) -> None:
        os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its imports; not ours to mend
            import great_expectations as gx
            from great_expectations.data_context.types.base import ProgressBarsConfig

            self._gx = gx
            self._context = gx.get_context(mode="ephemeral")
            self._context.variables.progress_bars = ProgressBarsConfig(globally=False)
            asset = self._context.data_sources.add_pandas("feeds").add_dataframe_asset("batches")
            self._batches = asset.add_batch_definition_whole_dataframe("run")
            suite = gx.ExpectationSuite(name="feed health")
            for rule in RULES:
                suite.add_expectation(self._expectation(rule))
            self._suite = self._context.suites.add(suite)
        logging.getLogger("great_expectations").setLevel(logging.WARNING)

    def validate(self, frame: Any) -> Any:
        """Return the validation result of the suite on one frame of figures."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            batch = self._batches.get_batch(batch_parameters={"dataframe": frame})
            return batch.validate(self._suite, result_format=self._FORMAT)

    def docs(self, frame: Any, folder: Path) -> Path:
        """Write the site: the suite and its result on this frame."""
        store = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder)}
        index = {"class_name": "DefaultSiteIndexBuilder"}
        site = {"class_name": "SiteBuilder", "site_index_builder": index, "store_backend": store}
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._context.add_data_docs_site(self._SITE, site)
            seen = self._gx.ValidationDefinition(name=self._suite.name, data=self._batches, suite=self._suite)
            try:
                seen = self._context.validation_definitions.add(seen)
                seen.run(batch_parameters={"dataframe": frame}, result_format=self._FORMAT)
                self._context.build_data_docs(site_names=[self._SITE])
            finally:
                self._context.delete_data_docs_site(self._SITE)
                self._context.validation_definitions.delete(seen.name)
        return folder / "index.html"

    def _expectation(self, rule: Rule) -> Any:
        meta = {"column": rule.column, "verdict": str(rule.verdict), "notes": rule.says}
        if not rule.limit:
            return self._gx.expectations.ExpectColumnValuesToBeInSet(column=rule.column, value_set=[1], meta=meta)
        higher, lower = (rule.column, rule.limit) if rule.floor else (rule.limit, rule.column)
        return self._gx.expectations.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A=higher, column_B=lower, or_equal=True, ignore_row_if="either_value_is_missing", meta=meta
        )


@cache
def _gx() -> _GreatExpectations:
    return _GreatExpectations()
