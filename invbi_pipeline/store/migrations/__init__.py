"""Versions of the state store's tables (Alembic)."""
