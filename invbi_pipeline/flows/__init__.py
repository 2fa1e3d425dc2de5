"""The verbs, once for the command line, Dagster and the event process.

`run` is the loop, `context` what every verb is handed; `feeds` reads, `decision` decides, `corrections` sends and proves,
`publish` (with `shown`) and `tell` let people know, and `accounts` answers when they ask why.
"""
