"""The event process: it receives the platforms' webhooks and decides as the batch does, which is its safety net."""
