"""Emulated Google Sheets: API v4 as gspread calls it, quotas on the world's clock, and a page for a browser."""

from invbi_pipeline.sandbox.sheets.face import SheetsService

__all__ = ["SheetsService"]
