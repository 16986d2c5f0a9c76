"""Settings, read once from a mapping such as the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from shared.errors import MissingSettings

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

PREFIX = "DANCEBITS_"

RATE_RANGE_HZ = (2.0, 120.0)
"""A sample a beat at least, and no more than the fastest cameras give."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a deployable may be told. The name of a setting is ``DANCEBITS_`` and its field in capitals."""

    project: str
    uploads_bucket: str
    features_bucket: str
    results_bucket: str
    library_bucket: str

    region: str = "europe-west1"
    gpu_job: str = "gpu-job"
    """The Cloud Run job that infers."""
    run_endpoint: str = ""
    """Where the Cloud Run API answers; empty: Google's own."""

    rate_hz: float = 15.0
    """Analysis samples a second: seven a beat at 130 BPM. 0: every frame."""
    max_duration_s: float = 900.0
    max_bytes: int = 2_000_000_000
    max_shards: int = 32
    pose_model: str = ""
    """``lite``, ``full``, ``heavy`` or the path of a bundle; empty: the one built from the Apache-2.0 networks."""
    cache: str = ""
    """Where the model is kept; empty: the user's cache folder."""
    network: str = ""
    """Of segmentation: a path, ``gs://bucket/name#sha256=…`` or ``wandb:entity/project/name:version#sha256=…``; empty:
    the one packaged with the code."""

    step_lease_s: float = 90.0
    """Renewed while the function works; so what a dead one leaves is taken up while its message is still delivered."""
    infer_lease_s: float = 60.0
    """Renewed while the worker lives; so a lost GPU worker is replaced within a minute."""
    max_attempts: int = 5
    max_executions: int = 3
    """The quota of L4 GPUs that a new project gets in a region."""
    batch_size: int = 8
    stale_after_s: float = 120.0
    """A job that nobody wrote to for so long is looked after by the sweep."""
    give_up_after_s: float = 7200.0
    """A job that is not in the backlog by then is given up."""
    give_up_waiting_after_s: float = 86400.0
    """One in the backlog is only then: it waits for a GPU, which may be scarce for hours."""
    keep_days: float = 30.0

    @property
    def step_lease(self) -> timedelta:
        return timedelta(seconds=self.step_lease_s)

    @property
    def infer_lease(self) -> timedelta:
        return timedelta(seconds=self.infer_lease_s)

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """Raises MissingSettings, naming everything that is missing or unreadable at once."""
        return read_settings(cls, environment)

    def environment(self) -> dict[str, str]:
        """The mapping that :meth:`read` reads back to this."""
        return {PREFIX + field.name.upper(): str(getattr(self, field.name)) for field in fields(self)}


T = TypeVar("T", bound="DataclassInstance")


def read_settings(kind: type[T], environment: Mapping[str, str]) -> T:
    """A dataclass of strings and numbers, also of settings that only one deployable has. Raises MissingSettings."""
    values: dict[str, Any] = {}
    complaints: list[str] = []
    for field in fields(kind):
        name = PREFIX + field.name.upper()
        text = environment.get(name)
        if field.default is MISSING and not text:
            complaints.append(f"{name} is not set")
        if text is None:
            continue
        try:
            values[field.name] = _TYPES[str(field.type)](text)
        except ValueError:
            complaints.append(f"{name}={text!r} is no {field.type}")
    complaints += [
        f"{PREFIX}{name.upper()} cannot be {value}" for name, value in values.items() if _is_absurd(name, value)
    ]
    if complaints:
        raise MissingSettings("; ".join(complaints))
    return kind(**values)


def _is_absurd(name: str, value: Any) -> bool:
    """No number that can be meant: not positive, not finite, or no rate at which a dance can be seen."""
    if isinstance(value, str):
        return False
    if name == "rate_hz":
        return not (value == 0 or RATE_RANGE_HZ[0] <= value <= RATE_RANGE_HZ[1])
    return not 0 < value < float("inf")


_TYPES = {"str": str, "float": float, "int": int}
