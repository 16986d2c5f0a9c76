"""The log of a training is a table that grows, and goes to Weights & Biases where it is asked for."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from gpu_job.segmentation.learning.curves import Log
from shared.errors import MissingTool


def test_rows_are_added_and_an_earlier_run_s_stay(tmp_path: Path) -> None:
    for epoch in (1, 2):
        with Log(tmp_path / "curves.csv", None, {}) as log:
            log.told(fold=0, epoch=epoch, loss=0.123456789)
            log.kept(tmp_path / "network", "network-1")  # nowhere to keep it
    with Log(tmp_path / "curves.csv", None, {}) as log:
        rows = log.rows()
    assert rows == list(csv.DictReader((tmp_path / "curves.csv").read_text().splitlines()))
    assert rows == [{"fold": "0", "epoch": str(epoch), "loss": "0.123457"} for epoch in (1, 2)]


def test_without_its_package_one_sentence_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(
        MissingTool, match=r"^Weights & Biases needs its package: pip install 'dancebits\[tracking\]'\.$"
    ):
        Log(tmp_path / "curves.csv", "me/dances", {})


class Tracked:
    """What we use of Weights & Biases."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def init(self, **given: object) -> SimpleNamespace:
        self.calls.append(("init", given))
        return SimpleNamespace(
            log=lambda figures: self.calls.append(("log", figures)),
            log_artifact=lambda path, **told: self.calls.append(("artifact", path, told)),
            finish=lambda exit_code: self.calls.append(("finish", exit_code)),
        )


def test_what_is_told_is_tracked_and_a_failure_is_a_failed_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tracked = Tracked()
    monkeypatch.setitem(sys.modules, "wandb", tracked)
    with Log(tmp_path / "curves.csv", "me/dances", {"seed": 1}) as log:
        log.told(loss=0.5)
        log.kept(tmp_path / "net.safetensors", "network-1")
    with pytest.raises(KeyError), Log(tmp_path / "curves.csv", "dances", {}):
        raise KeyError
    assert tracked.calls == [
        ("init", {"entity": "me", "project": "dances", "config": {"seed": 1}}),
        ("log", {"loss": 0.5}),
        ("artifact", str(tmp_path / "net.safetensors"), {"name": "network-1", "type": "model"}),
        ("finish", 0),
        ("init", {"entity": None, "project": "dances", "config": {}}),
        ("finish", 1),
    ]
