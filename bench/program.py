"""What another process used, as Linux tells of it. It starts and ends none."""

import os
from contextlib import suppress
from pathlib import Path

from bench.contender import Usage


def usage(pid: int) -> Usage:
    """Of a process that runs, all its threads; zeros where the system does not tell, or it is gone."""
    with suppress(OSError):
        # After the name, which is in brackets and may hold anything: field 14 and 15 of proc(5), in ticks.
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace").splitlines()
        most = [int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")]
        return Usage((int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK"), max(most, default=0))
    return Usage(0.0, 0)
