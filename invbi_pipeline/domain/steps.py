"""Steps: where a lazy derivation is worked out, because several later steps stand on it."""

import polars as pl

__all__ = ["kept", "kept_all"]


def kept(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Work a frame out once. Without this each step above it would be planned, and partly run, again by every step after it."""
    return frame.collect().lazy()


def kept_all(frames: tuple[pl.LazyFrame, ...]) -> list[pl.LazyFrame]:
    """Work several frames out together."""
    return [frame.lazy() for frame in pl.collect_all(frames)]
