"""What a job costs, and what the system costs when nobody uses it, at list prices.

    python -m tests.benchmarks.cost [--measure]

The seconds are processor seconds of a warm process, which other work on the machine does not lengthen.
``--measure`` takes those of a 60 s video anew, in about half a minute; otherwise the recorded ones serve.
Free allotments are not counted for jobs; when idle, they are what a small system lives on.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from gpu_job.kinds import inferences, methods_of
from gpu_job.worker import Worker
from infra.local.oneshot import HANDLERS, settings_of
from infra.local.sample.video import write_sample
from shared.backlog import JOBS_PER_EXECUTION
from shared.events import UploadFinalized
from shared.memory import memory_ports
from tests.benchmarks.machine import print_table

READ = "2026-11-26"
"""When the prices were looked up: US dollars, tier-1 regions such as europe-west1. Check them before you quote."""


@dataclass(frozen=True, slots=True)
class Prices:
    """By the title of the page that lists them."""

    # Cloud Run pricing, services billed by request
    vcpu_s: float = 0.000024
    gib_s: float = 0.0000025
    request: float = 0.40e-6
    # Cloud Run pricing, jobs (billed by instance); the L4 without zonal redundancy
    job_vcpu_s: float = 0.000018
    job_gib_s: float = 0.000002
    l4_s: float = 0.0001867
    # Firestore pricing
    document_read: float = 0.03e-5
    document_write: float = 0.09e-5
    # Cloud Storage pricing: standard storage, operations of class A
    storage_gb_month: float = 0.020
    storage_write: float = 0.005e-3
    # Network pricing, premium tier, the first terabyte to Europe or North America
    egress_gb: float = 0.12
    # Artifact Registry pricing, above half a gigabyte
    image_gb_month: float = 0.10
    free_image_gb: float = 0.5
    # Cloud Scheduler pricing, above three jobs
    scheduler_job: float = 0.10
    # Google Cloud Observability pricing, from 1 September 2027; nothing until then
    alert_metric: float = 0.35
    alert_point: float = 0.50e-6


@dataclass(frozen=True, slots=True)
class Use:
    """A function's part in one job: ``calls`` messages of ``cpu_s`` processor seconds, on ``vcpu`` and ``gib``."""

    unit: str
    calls: int
    cpu_s: float
    vcpu: int
    gib: float
    wait_s: float = 1.5
    """Of a call, for a document that rests a second between two writes, and for Cloud Storage."""

    @property
    def instance_s(self) -> float:
        """Decoding and looking keep two processors busy to 85 %."""
        at_once = 1.0 if self.vcpu == 1 else 0.85 * self.vcpu
        return self.calls * (self.cpu_s / at_once + self.wait_s)

    def usd(self, prices: Prices) -> float:
        each_s = self.vcpu * prices.vcpu_s + self.gib * prices.gib_s
        return self.instance_s * each_s + self.calls * prices.request


@dataclass(frozen=True, slots=True)
class Gpu:
    """The GPU's part in one job, in seconds, and its share of the worker's start."""

    work_s: float
    start_s: float
    vcpu: int = 4
    gib: int = 16

    @property
    def instance_s(self) -> float:
        return self.work_s + self.start_s

    def usd(self, prices: Prices) -> float:
        return self.instance_s * (prices.l4_s + self.vcpu * prices.job_vcpu_s + self.gib * prices.job_gib_s)


@dataclass(frozen=True, slots=True)
class Kept:
    """What a job leaves for thirty days: gigabytes, objects; and how often documents are read and written for it."""

    gigabytes: float
    objects: int
    reads: int
    writes: int
    seen_gb: float
    """What its owner loads when she looks at it once."""

    def usd(self, prices: Prices) -> float:
        documents = self.reads * prices.document_read + self.writes * prices.document_write
        return documents + self.gigabytes * prices.storage_gb_month + self.objects * prices.storage_write


@dataclass(frozen=True, slots=True)
class JobUse:
    """One job of a kind."""

    title: str
    functions: Sequence[Use]
    gpu_s: float
    kept: Kept


MEASURED: Mapping[str, float] = {"intake": 0.02, "audio": 0.19, "pose": 4.0, "dispatch": 0.01, "gpu": 1.55}
"""Processor seconds a call of a 60 s video at 720p and 15 samples/s, in 3 shards, warm: ``--measure`` on 2 cores."""

START_S = 30.0
"""From the start of an execution to its first job (shared/backlog.py); billed."""
GPU_WAIT_S = 3.0
"""Documents that rest a second between two writes: claimed, told of, settled."""


def video(measured: Mapping[str, float]) -> JobUse:
    """A video of 12 MB is cut into its moves."""
    functions = (
        Use("intake", 1, measured["intake"], 1, 1),
        Use("audio", 1, measured["audio"], 1, 2),
        Use("pose", 3, measured["pose"], 2, 2),
        Use("dispatch", 4, measured["dispatch"], 1, 0.5, wait_s=0.5),
    )
    return JobUse("A video of 60 s", functions, measured["gpu"] + GPU_WAIT_S, Kept(0.024, 25, 80, 30, 0.012))


def choreography() -> JobUse:
    """A song is heard in a second; a dance is planned and joined without encoding in five."""
    functions = (
        Use("intake", 1, 0.02, 1, 1),
        Use("audio", 1, 1.0, 1, 2),
        Use("dispatch", 1, 0.01, 1, 0.5, wait_s=0.5),
    )
    return JobUse("A choreography to a song of 3.5 min", functions, 5.0 + GPU_WAIT_S, Kept(0.065, 8, 60, 20, 0.060))


@dataclass(frozen=True, slots=True)
class Item:
    """What there is to pay in a month without a user: at list price, and after the free allotments."""

    name: str
    what: str
    listed: float
    due: float


IMAGES_GB = 4.5
"""An estimate: seven images, each layer once: torch for CUDA 3.5, MediaPipe and OpenCV 0.5, all others 0.5."""
TICKS = 43_800
TICK_S = 0.2
"""Three queries of Firestore, rounded up to tenths of a second."""
POINTS = 30 * 86_400 / 30
"""One series, looked at every half a minute."""


def idle(prices: Prices) -> Sequence[Item]:
    images = (IMAGES_GB - prices.free_image_gb) * prices.image_gb_month
    sweeps = TICKS * (TICK_S * (prices.vcpu_s + 0.5 * prices.gib_s) + prices.request)
    library = 0.4 * prices.storage_gb_month
    alerts = prices.alert_metric + POINTS * prices.alert_point
    return (
        Item("images", f"{IMAGES_GB} GB; {prices.free_image_gb} GB free", IMAGES_GB * prices.image_gb_month, images),
        Item("library", "149 clips, 0.4 GB", library, library),
        Item("sweeps", f"{TICKS} of {TICK_S} s; 180,000 vCPU-seconds free", sweeps, 0.0),
        Item("scheduler", "1 job; 3 free", prices.scheduler_job, 0.0),
        Item("Firestore", f"{3 * TICKS} readings; 50,000 a day free", 3 * TICKS * prices.document_read, 0.0),
        Item("backups", "7 of some megabytes", 0.01, 0.01),
        Item("messages and logs", "0.1 GiB; 10 and 50 GiB free", 0.05, 0.0),
        Item("people", "Identity Platform: 50,000 a month free; App Check: free", 0.0, 0.0),
        Item("alerts", "1 metric, 1 series; free until September 2027", alerts, alerts),
    )


def measure() -> Mapping[str, float]:
    """Processor seconds a call, by unit, of a warm process: the chain's own handlers on ports in memory."""
    with TemporaryDirectory() as folder:
        path = write_sample(Path(folder) / "minute.mp4", duration_s=60.0).path
        _worked(path)
        return _worked(path)


def _worked(path: Path) -> Mapping[str, float]:
    ports = memory_ports(settings_of({}))
    source = ports.blobs.mount("uploads", f"videos/{path.name}", lambda: path.open("rb"), path.stat().st_size)
    ports.bus.publish(UploadFinalized(source))
    spent: dict[str, list[float]] = defaultdict(list)
    while (message := ports.bus.take()) is not None:
        handle = HANDLERS[message.topic]
        spent[handle.__module__.split(".")[1]].append(_timed(partial(handle, message, ports)))
    spent["gpu"].append(_timed(Worker(ports, inferences(methods_of(ports)), threading.Event()).run))
    return {unit: sum(seconds) / len(seconds) for unit, seconds in spent.items()}


def _timed(work: Callable[[], object]) -> float:
    started_s = time.process_time()
    work()
    return time.process_time() - started_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--measure", action="store_true", help="take the processor seconds of a video anew")
    measured = measure() if parser.parse_args().measure else MEASURED
    print("Processor seconds a call:", ", ".join(f"{unit} {seconds:.2f}" for unit, seconds in measured.items()))
    prices = Prices()
    for job in (video(measured), choreography()):
        _print_job(job, prices)
    _print_idle(idle(prices))


def _print_job(job: JobUse, prices: Prices) -> None:
    gpus = {
        "alone": Gpu(job.gpu_s, START_S),
        f"one of {JOBS_PER_EXECUTION}": Gpu(job.gpu_s, START_S / JOBS_PER_EXECUTION),
    }
    kept_usd, seen_usd = job.kept.usd(prices), job.kept.seen_gb * prices.egress_gb
    common = sum(use.usd(prices) for use in job.functions) + kept_usd + seen_usd
    rows = [
        *(_function_row(use, prices) for use in job.functions),
        *(_gpu_row(f"gpu-job, {how}", gpu, prices) for how, gpu in gpus.items()),
        _sum_row("documents, 30 days of storage", kept_usd),
        _sum_row("seen once", seen_usd),
        *(_sum_row(f"**together, {how}**", common + gpu.usd(prices)) for how, gpu in gpus.items()),
    ]
    head = ("unit", "calls", "vCPU-seconds", "GiB-seconds", "GPU-seconds", "US cents")
    print_table(f"{job.title}, list prices of {READ}", head, rows)


def _function_row(use: Use, prices: Prices) -> list[str]:
    seconds = [f"{use.instance_s * use.vcpu:.1f}", f"{use.instance_s * use.gib:.1f}"]
    return [use.unit, str(use.calls), *seconds, "", _cents(use.usd(prices))]


def _gpu_row(name: str, gpu: Gpu, prices: Prices) -> list[str]:
    seconds = [f"{gpu.instance_s * gpu.vcpu:.1f}", f"{gpu.instance_s * gpu.gib:.1f}", f"{gpu.instance_s:.1f}"]
    return [name, "1", *seconds, _cents(gpu.usd(prices))]


def _sum_row(name: str, usd: float) -> list[str]:
    return [name, "", "", "", "", _cents(usd)]


def _print_idle(items: Sequence[Item]) -> None:
    rows = [[item.name, item.what, f"{item.listed:.2f}", f"{item.due:.2f}"] for item in items]
    listed, due = sum(item.listed for item in items), sum(item.due for item in items)
    rows.append(["**together**", "", f"{listed:.2f}", f"{due:.2f}"])
    head = ("item", "what", "US dollars at list price", "US dollars due")
    print_table(f"A month in which nobody dances, list prices of {READ}", head, rows)


def _cents(usd: float) -> str:
    return f"{100 * usd:.3f}"


if __name__ == "__main__":
    main()
