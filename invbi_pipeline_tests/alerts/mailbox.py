"""A mail server on loopback that keeps what it is given (the few words of RFC 5321 that a client needs)."""

import email.policy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from socketserver import StreamRequestHandler, ThreadingTCPServer

from invbi_pipeline_tests.alerts.serving import serving

__all__ = ["Mailbox", "mailbox"]


@dataclass
class Mailbox:
    """Where it listens, and the letters that came."""

    port: int = 0
    letters: list[EmailMessage] = field(default_factory=list)

    def texts(self, subtype: str) -> list[str]:
        """Return the parts of the last letter that are text of this subtype."""
        parts = [part for part in self.letters[-1].walk() if part.get_content_type() == f"text/{subtype}"]
        return [part.get_content() for part in parts]


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    box = Mailbox()

    class Session(StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            for line in self.rfile:
                word = line.split()[0].upper() if line.split() else b""
                if word == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    box.letters.append(self._letter())
                self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")
                if word == b"QUIT":
                    return

        def _letter(self) -> EmailMessage:
            lines = [line.removeprefix(b".") for line in iter(self.rfile.readline, b".\r\n")]
            return message_from_bytes(b"".join(lines), EmailMessage, policy=email.policy.default)

    server = ThreadingTCPServer(("127.0.0.1", 0), Session)
    server.daemon_threads = True
    box.port = server.server_address[1]
    with serving(server):
        yield box
