"""What merchants read: one dashboard model, and its renderers for Google Sheets, .xlsx and HTML."""
