"""invbi: one shelf, many numbers for it, and the work of making them agree.

The rooms, top to bottom (arrows point down only; `invbi_pipeline_tests/test_rooms.py` enforces it)::

    definitions.py  cli/          doors: what Dagster loads, what a person types
    defs/                         thin Dagster
    live/                         the event process
    flows/                        the verbs: ingest, reconcile, correct, publish
    channels/                     one module per platform behind one protocol
    dashboard/  alerts/           what people read
    store/                        warehouse, state, SQL models
    domain/                       the vocabulary and every decision; pure
    config.py  errors.py          read by all
    sandbox/                      the emulated platforms and the simulated world (imports the domain's words only)
"""

__version__ = "0.1.0"
