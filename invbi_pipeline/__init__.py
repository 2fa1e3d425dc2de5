"""invbi: one shelf, many numbers for it, and the work of making them agree.

The rooms, top to bottom (arrows point down only; `invbi_pipeline_tests/test_rooms.py` enforces it)::

    definitions.py  cli/          doors: what Dagster loads, what a person types
    defs/                         thin Dagster
    live/                         the event process
    flows/                        the verbs: feeds, decision, corrections, accounts; run is the loop
    channels/                     one module per platform behind one protocol
    dashboard/  alerts/           what people read
    store/                        warehouse, state, SQL models
    domain/                       the vocabulary and every decision; pure
    config/  errors.py            read by all
    sandbox/                      the emulated platforms and the simulated world (imports the domain's words only)

How Polars works in our processes is said here, before anything imports it; whoever says otherwise in the environment is heeded:

* in memory: its streaming engine takes ten times as long to begin with a small frame, and ours are many and small (the event
  process) or in parts that fit (`bench decide`);
* memory that was freed is kept for two seconds before it goes back to the system: a decision frees and asks for the same pages
  again and again. Kept for ten, a decision of 300,000 SKUs is an eighth faster, and a run that needs 840 MiB needs 1,060.
"""

import os

__version__ = "0.1.0"

os.environ.setdefault("POLARS_ENGINE_AFFINITY", "in-memory")
os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:2000,muzzy_decay_ms:0")
