"""A circuit breaker: after repeated failures a platform is left alone for a while, and callers learn it at once.

The states and their changes are purgatory's. Purgatory reads the machine's clock to say when an open circuit may be tried
again, and takes no other; so its `opened` state is asked for here on the clock handed in, and left by purgatory's own door.
"""

from datetime import datetime, timedelta

from purgatory.domain.model import Context, HalfOpenedState

from invbi_pipeline.channels.protocol import Clock
from invbi_pipeline.errors import Unreachable

__all__ = ["Breaker"]


class Breaker:
    """Opens after `threshold` failures in a row; lets one try through after `rest_s` seconds; closes when that succeeds."""

    def __init__(self, name: str, clock: Clock, *, threshold: int = 5, rest_s: float = 30.0) -> None:
        self._clock = clock
        self._rest = timedelta(seconds=rest_s)
        self._circuit = Context(name, threshold=threshold, ttl=rest_s)
        self._opened_at: datetime | None = None
        self._name = name

    @property
    def state(self) -> str:
        """`closed`, `opened` or `half-opened`."""
        return str(self._circuit.state)

    def before(self) -> None:
        """Ask to send. Raises `Unreachable` while the circuit is open."""
        if self.state != "opened" or self._opened_at is None:
            return
        ready = self._opened_at + self._rest
        if self._clock.now() < ready:
            raise Unreachable(
                f"{self._name} failed repeatedly and is left alone until {ready:%H:%M:%S} UTC; nothing was sent. "
                "Run again after that."
            )
        self._circuit.set_state(HalfOpenedState())

    def failed(self, trouble: Exception) -> None:
        """Count a failure: no answer, or a server's fault."""
        self._circuit.handle_exception(trouble)
        if self.state == "opened":
            self._opened_at = self._clock.now()
        self._circuit.messages.clear()

    def succeeded(self) -> None:
        """Count an answer, whatever it says: the platform is there."""
        self._circuit.handle_end_request()
        self._circuit.messages.clear()
