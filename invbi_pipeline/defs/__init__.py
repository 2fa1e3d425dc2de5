"""Thin Dagster: an asset parses, calls a flow, and returns metadata."""
