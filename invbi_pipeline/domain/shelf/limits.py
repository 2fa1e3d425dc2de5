"""How long ordinary things take: before these ages have passed nobody is told."""

from datetime import timedelta
from typing import Final, NamedTuple

__all__ = ["BACK_TO", "USUAL", "Limits"]

BACK_TO: Final = timedelta(days=30)  # what came back, or was counted, longer ago than this is news no more


class Limits(NamedTuple):
    """The merchant's own (`[business]`), with what a careful one would choose."""

    pending: timedelta = timedelta(days=7)  # an order nobody paid or released
    open: timedelta = timedelta(days=14)  # a paid order of which nothing, or nothing more, was shipped
    on_hold: timedelta = timedelta(days=30)  # an order somebody stopped, and may know why
    elsewhere: timedelta = timedelta(hours=1)  # since another system ended the same order
    returned: timedelta = timedelta(hours=24)  # from the goods' being back to their being booked
    transit: timedelta = timedelta(days=3)  # from one shelf to the other


USUAL: Final = Limits()
