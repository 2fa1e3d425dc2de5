"""The demo, as a user runs it: seconds, memory, and whether the loop closed."""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from invbi_pipeline.cli.bench.report import Result, Target
from invbi_pipeline.errors import TerminalError

__all__ = ["bench_demo"]


def bench_demo(skus: int = 2000) -> Result:
    """Run `invbi demo` on a fresh world in a process of its own. Raises `TerminalError` with what it said when it fails."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "demo"
        command = [
            sys.executable,
            "-m",
            "invbi_pipeline.cli",
            "demo",
            "--skus",
            str(skus),
            "--folder",
            str(home),
            "--format",
            "json",
        ]
        began = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - began
    if not done.stdout.strip():
        raise TerminalError(f"The demo failed: {done.stderr.strip()[-400:]}")
    told = json.loads(done.stdout.strip().splitlines()[-1])
    megabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024  # the largest of its processes
    agree, correctable = told["corrected"], told["correctable_by_world"]
    return Result(
        "demo",
        {
            "SKUs": skus,
            "seconds, interpreter and sandbox included": round(seconds, 1),
            "largest process, MB": round(megabytes),
            "runs": told["runs"],
            "parity at the first look": told["parity_before"],
            "parity at the end": told["parity_after"],
            "correctable numbers that agree, as the world says": f"{agree} of {correctable}",
            "runs until quiet": told["runs_to_quiet"],
            "planted": told["planted"],
            "found": told["found"],
        },
        (
            Target("seconds of the demo's own work", told["seconds"], "< 60", told["seconds"] < 60),
            Target("MB", round(megabytes), "< 1500", megabytes < 1500),
            Target("correctable numbers left wrong", correctable - agree, "0", agree == correctable),
            Target("planned after the quiet", told["planned_after_quiet"], "0", told["planned_after_quiet"] == 0),
        ),
    )
