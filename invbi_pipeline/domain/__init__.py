"""The vocabulary and every decision: pure functions on Polars frames. No I/O, no clock, no Dagster."""
