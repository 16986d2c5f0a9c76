"""The machine that a figure was measured on, and tables to print figures in."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path

KIB = 1024


def described() -> str:
    """One line: processor, cores, memory, Python."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return f"{_processor()}, {os.cpu_count()} cores, {pages / 2**30:.0f} GiB, Python {platform.python_version()}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def peak_resident_mb(process: int | str = "self") -> float:
    """The most memory that a process held at once, in 10⁶ bytes (Linux)."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * KIB / 1e6
    raise LookupError("the kernel tells no VmHWM")


def print_table(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A Markdown table under its title and the machine."""
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    print(f"\n{title}\n{described()}\n", lines[0], rule, *lines[1:], sep="\n")
