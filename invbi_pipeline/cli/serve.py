"""`invbi serve`: the event process, until it is told to stop."""

import asyncio
import logging
import os
import socket
import sys
from pathlib import Path

from uvicorn.loops.auto import auto_loop_factory

from invbi_pipeline.cli.output import Exit
from invbi_pipeline.config import Config, load_config
from invbi_pipeline.errors import ConfigError, InvbiError
from invbi_pipeline.flows.context import open_context
from invbi_pipeline.live.crashes import tell_of_crashes
from invbi_pipeline.live.logs import LogFormat, begin_logging
from invbi_pipeline.live.process import Process
from invbi_pipeline.live.subscriptions import must_have_an_address

__all__ = ["run_serve"]

log = logging.getLogger("invbi.serve")

_BACKLOG = 2048  # connections that wait to be taken while the process is busy
# How long a thread may keep the interpreter from another. A decision asks for it again after each of some thousand steps of
# Polars, and would wait Python's 5 ms each time while an answer is being read.
_SWITCH_S = 0.0005


def run_serve(
    path: Path, *, host: str, port: int | None, receiver_only: bool, register: bool, log_format: LogFormat, log_level: str
) -> int:
    """Serve until SIGTERM or SIGINT. Wrong configuration and a port that is taken are told before anything is begun."""
    config = load_config(path)
    if register:
        must_have_an_address(config)
    begin_logging(log_format, log_level)
    sys.setswitchinterval(_SWITCH_S)
    tell_of_crashes(config.serve)
    listening = _listener(host or config.serve.host, config.serve.port if port is None else port)
    with listening as listener, asyncio.Runner(loop_factory=auto_loop_factory()) as runner:  # uvloop, where it is installed
        try:
            runner.run(_serve(config, listener, receiver_only=receiver_only, register=register))
        except InvbiError:
            raise
        except Exception as trouble:  # a line like any other: what Python prints would quote what was being worked on
            log.critical("ended by what nobody foresaw; nothing that was acknowledged is lost: start it again", exc_info=True)
            raise SystemExit(1) from trouble
    return Exit.DONE


async def _serve(config: Config, listener: socket.socket, *, receiver_only: bool, register: bool) -> None:
    async with open_context(config) as ctx:
        host, port = listener.getsockname()[:2]
        where = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

        def listening() -> None:
            log.info("webhooks are taken at %s/webhooks/SYSTEM; /healthz, /readyz and /metrics say how it goes", where)

        await Process(ctx, listener, receiver_only=receiver_only, register=register, listening=listening).run()


def _listener(host: str, port: int) -> socket.socket:
    """Return the socket that the door listens on."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except (socket.gaierror, UnicodeError) as trouble:
        what = "the name or address of one of this machine's interfaces"
        problem = ("--host, serve.host", what, "use 127.0.0.1 behind a proxy, or 0.0.0.0 inside a container")
        raise ConfigError(f"{host} is no host.", [problem]) from trouble
    except OSError as trouble:
        where, what = "--port, serve.port", f"a port of {host} that is free and may be used"
        mend = "end what listens there, or name another; 0: any free one"
        raise ConfigError(
            f"Port {port} of {host} cannot be used: {os.strerror(trouble.errno or 0)}.", [(where, what, mend)]
        ) from trouble
