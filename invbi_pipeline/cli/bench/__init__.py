"""`invbi bench`: measures and never pretends. A table for people, one JSON line for machines, exit 1 when a target is missed."""

from invbi_pipeline.cli.bench.report import run_bench

__all__ = ["run_bench"]
