"""The log of a training: a table that grows, and Weights & Biases where it is asked for."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from shared.errors import MissingTool


class Log:
    """Rows of figures, one an epoch; what an earlier run has written stays.

    ``path`` of the table; ``project`` ``ENTITY/PROJECT`` or ``PROJECT`` of Weights & Biases, None for the table alone.
    Raises MissingTool where its package is not installed.
    """

    def __init__(self, path: Path, project: str | None, config: Mapping[str, Any]) -> None:
        self._path = path
        self._run = _run(project, config) if project else None

    def __enter__(self) -> Log:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._run:
            self._run.finish(exit_code=1 if error else 0)

    def told(self, **figures: float) -> None:
        """A row; every time of the same figures."""
        is_new = not self._path.exists()
        with self._path.open("a", newline="") as file:
            rows = csv.DictWriter(file, list(figures))
            if is_new:
                rows.writeheader()
            rows.writerow({name: round(value, 6) for name, value in figures.items()})
        if self._run:
            self._run.log(figures)

    def rows(self) -> list[Mapping[str, str]]:
        """All that was told, by this run and those before it."""
        if not self._path.exists():
            return []
        with self._path.open(newline="") as file:
            return list(csv.DictReader(file))

    def kept(self, network: Path, version: str) -> None:
        """The finished network, as an artifact of the project."""
        if self._run:
            self._run.log_artifact(str(network), name=version, type="model")


def _run(project: str, config: Mapping[str, Any]) -> Any:
    """Raises MissingTool."""
    try:
        import wandb
    except ModuleNotFoundError as error:
        raise MissingTool("Weights & Biases needs its package: pip install 'dancebits[tracking]'.") from error
    entity, _, name = project.rpartition("/")
    return wandb.init(entity=entity or None, project=name, config=dict(config))
