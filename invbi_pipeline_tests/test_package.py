"""The package itself: how Polars works in our processes is settled before Polars is loaded, unless somebody said otherwise."""

import json
import os
import subprocess
import sys

from hypothesis import settings

_SAID = "import json, os, sys, invbi_pipeline; print(json.dumps(['polars' in sys.modules, os.environ['POLARS_ENGINE_AFFINITY']]))"


def said(**environment: str) -> list[object]:
    others = {name: value for name, value in os.environ.items() if name != "POLARS_ENGINE_AFFINITY"}
    shown = subprocess.run([sys.executable, "-c", _SAID], env={**others, **environment}, capture_output=True, check=True)
    return list(json.loads(shown.stdout))


def test_polars_works_in_memory_and_is_told_so_before_it_is_loaded() -> None:
    assert said() == [False, "in-memory"]


def test_whoever_chose_another_engine_keeps_it() -> None:
    assert said(POLARS_ENGINE_AFFINITY="streaming") == [False, "streaming"]


def test_no_property_fails_for_the_time_that_an_example_takes() -> None:
    assert settings().deadline is None
