"""The ways of keeping numbers that ours are measured against: none at all, and a copy of the master's number every so often."""

from dataclasses import dataclass

from invbi_pipeline.sandbox.world.flash import FlashDay, Want

__all__ = ["PERFECT", "Polling", "replay"]


@dataclass(frozen=True, slots=True)
class Polling:
    """Every `every_s` seconds each channel is shown what is left less a fixed `buffer`; None: never, 0: before every shopper.

    The poller of the measurement is a perfect one: it knows every order of every channel the moment it looks, and its writes
    land at once.
    """

    every_s: float | None
    buffer: int = 0


PERFECT = Polling(0.0)


def replay(day: FlashDay, polling: Polling, phase: float = 0.0) -> list[Want]:
    """Return the wants that were granted, in order. `phase` (0 to 1) of an interval has passed when the sale begins.

    All channels begin with the right number. A channel takes its own sales off its own number at once.
    """
    left = [item.units for item in day.items]
    shown: dict[tuple[str, int], int] = {}  # since the last look; else the number of then
    looked = [item.units - polling.buffer for item in day.items]
    due = None if polling.every_s is None else polling.every_s * (1 - phase)
    granted: list[Want] = []
    for want in day.wants:
        if due is not None and polling.every_s is not None and due <= want.at_s:
            passed = 1 if not polling.every_s else int((want.at_s - due) // polling.every_s) + 1
            due += passed * polling.every_s
            shown, looked = {}, [units - polling.buffer for units in left]
        key = (want.channel, want.item)
        number = shown.get(key, looked[want.item])
        if number < want.units:
            continue
        granted.append(want)
        left[want.item] -= want.units
        shown[key] = number - want.units
    return granted
