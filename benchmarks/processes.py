"""Worker processes of a benchmark, and what they cost: CPU and memory from /proc."""

import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Processes:
    """Started processes by name; the broker's may be counted as well."""

    started: list[asyncio.subprocess.Process] = field(default_factory=list)
    also: list[int] = field(default_factory=list)

    async def start(self, *arguments: str) -> None:
        """Start `python -m benchmarks.overhead --child …` and wait until it says that it is ready."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.overhead", "--child", *arguments, stdout=asyncio.subprocess.PIPE
        )
        self.started.append(process)
        assert process.stdout is not None
        said = await asyncio.wait_for(process.stdout.readline(), 30)
        if said.strip() != b"ready":
            raise RuntimeError(f"worker {arguments} did not start")

    @property
    def pids(self) -> Sequence[int]:
        return [*(process.pid for process in self.started), *self.also]

    def cpu_s(self) -> float:
        """CPU seconds of all of them so far."""
        return sum(cpu_s(pid) for pid in self.pids)

    def memory_mb(self) -> float:
        """Resident memory of the started ones, in MB."""
        return sum(resident_mb(process.pid) for process in self.started)

    async def stop(self) -> None:
        """End all of them."""
        for process in self.started:
            process.kill()
        for process in self.started:
            await process.wait()


def cpu_s(pid: int) -> float:
    """CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND


def resident_mb(pid: int) -> float:
    """Resident memory of a process in MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES / 1e6
