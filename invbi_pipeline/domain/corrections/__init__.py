"""Corrections: what should be changed, and what stops it."""
