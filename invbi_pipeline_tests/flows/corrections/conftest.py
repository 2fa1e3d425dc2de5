"""Sending is tried on each database that the state store is run on."""

from invbi_pipeline_tests.store.conftest import postgres, state_url

__all__ = ["postgres", "state_url"]
