"""The verbs, once for the command line, Dagster and the event process."""
