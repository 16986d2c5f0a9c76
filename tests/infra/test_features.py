"""A folder of videos becomes a folder of features: whole files, made once, and of every video that can be used."""

import json
import shutil
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest

from functions.pose import couple, extraction
from gpu_job.segmentation.learning.clips import NotExtracted, clips_in, extracted
from infra.local import cli
from infra.local.sample.video import write_sample
from shared.couple import Couple
from shared.errors import DamagedFile, MissingTool
from shared.features import AudioFeatures, PoseFeatures
from tests.functions.pose_model import pose_model

DURATION_S = 3.0
"""Less is too little for a beat."""
KINDS = {"audio": AudioFeatures, "pose": PoseFeatures, "couple": Couple}


def entry(path, label="basic", **change):
    told = {"clip_id": path, "video_path": path, "move_label": label, "difficulty": "low", "energy_level": "low"}
    return {**told, "clip_id": path.replace("/", "-"), **change}


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample")
    return write_sample(folder / "drawn.mp4", duration_s=DURATION_S, width=320, height=180).path


@pytest.fixture(scope="module")
def digest(sample):
    return sha256(sample.read_bytes()).hexdigest()[:16]


@pytest.fixture(scope="module")
def looked_at(sample, tmp_path_factory):
    """What the command made of the sample: looked at once."""
    pose_model()
    out = tmp_path_factory.mktemp("looked")
    assert cli.main(["features", str(sample.parent), "--out", str(out)]) == 0
    return out


@pytest.fixture
def videos(sample, tmp_path):
    folder = tmp_path / "videos"
    (folder / "spin").mkdir(parents=True)
    shutil.copy(sample, folder / "spin" / "spin1.mp4")
    return folder


@pytest.fixture
def out(looked_at, tmp_path):
    """A folder in which the sample's features are."""
    shutil.copytree(looked_at, tmp_path / "out")
    (tmp_path / "out" / "clips.json").unlink()
    return tmp_path / "out"


@pytest.fixture
def run(capsys):
    """Run the command; its exit status, what it complained of, and what it told."""

    def run(videos, out, *arguments):
        status = cli.main(["features", str(videos), "--out", str(out), *map(str, arguments)])
        said = capsys.readouterr()
        return status, said.err.strip().splitlines()[-1:], said.out

    return run


@pytest.fixture
def nothing_is_looked_at(monkeypatch):
    monkeypatch.setattr(extraction, "extract", pytest.fail)
    monkeypatch.setattr(couple, "extract", pytest.fail)


def listed(out):
    return json.loads((out / "clips.json").read_text())


class TestFiles:
    def test_there_are_three_of_each_video_and_a_list(self, looked_at, digest):
        names = {f"{digest}.{what}.npz" for what in KINDS}
        assert {path.name for path in looked_at.iterdir()} == {"clips.json", *names}
        assert listed(looked_at) == [{"name": "drawn", "video": "drawn.mp4", "digest": digest, "label": None}]

    def test_they_hold_what_the_chain_extracts_on_one_clock(self, looked_at, digest):
        audio, pose, both = (
            kind.from_bytes((looked_at / f"{digest}.{what}.npz").read_bytes()) for what, kind in KINDS.items()
        )
        assert audio.rate_hz == pose.rate_hz == both.rate_hz == 15.0
        assert len(audio.log_mel) == len(pose) == len(both) == 45
        assert len(audio.beats) >= 4
        assert pose.detected_share > 0.9

    def test_videos_are_found_in_all_folders_whatever_the_case_of_their_suffix(self, videos, sample, out, run):
        shutil.copy(sample, videos / "Zumba.MP4")
        (videos / "Zumba.MP4").write_bytes(sample.read_bytes() + b"\0" * 8)
        (videos / "notes.txt").write_text("no video")
        run(videos, out)
        assert [clip["name"] for clip in listed(out)] == ["Zumba", "spin/spin1"]


class TestAnnotations:
    @pytest.mark.usefixtures("nothing_is_looked_at")
    def test_those_beside_the_videos_are_read_unasked(self, videos, out, run, digest):
        (videos / "other.mp4").write_text("not annotated")
        (videos / "annotations.json").write_text(json.dumps({"clips": [entry("spin/spin1.mp4", "spin")]}))
        assert run(videos, out)[0] == 0
        told = {"name": "spin/spin1", "video": "spin/spin1.mp4", "digest": digest, "label": "spin"}
        assert listed(out) == [told]

    @pytest.mark.usefixtures("nothing_is_looked_at")
    def test_others_are_read_in_their_place(self, videos, out, run, tmp_path):
        (videos / "annotations.json").write_text("no JSON")
        (tmp_path / "mine.json").write_text(json.dumps([entry("spin/spin1.mp4", "turn")]))
        assert run(videos, out, "--annotations", tmp_path / "mine.json")[0] == 0
        assert [clip["label"] for clip in listed(out)] == ["turn"]

    @pytest.mark.usefixtures("nothing_is_looked_at")
    def test_an_entry_that_cannot_be_used_is_told_and_left_out(self, videos, out, run):
        entries = [entry("gone.mp4"), entry("spin/spin1.mp4"), entry("spin/spin1.mp4", difficulty="impossible")]
        (videos / "annotations.json").write_text(json.dumps(entries))
        status, _, told = run(videos, out)
        assert (status, [clip["name"] for clip in listed(out)]) == (0, ["spin/spin1"])
        assert "gone.mp4: NOT_FOUND: There is no file gone.mp4" in told
        assert "spin/spin1.mp4: BAD_OPTION: The option difficulty" in told

    def test_annotations_that_cannot_be_read_are_an_error(self, videos, out, run):
        (videos / "annotations.json").write_text("no JSON")
        status, (said,), _ = run(videos, out)
        assert (status, "BAD_ANNOTATIONS" in said) == (1, True)


class TestWhatCannotBeUsed:
    def test_it_is_told_by_name_and_left_out(self, videos, sample, out, run):
        (videos / "text.mp4").write_text("no video")
        (videos / "cut.mp4").write_bytes(sample.read_bytes()[: sample.stat().st_size // 3])
        (videos / "empty.mov").touch()
        write_sample(videos / "quiet.mp4", duration_s=2.0, width=320, height=180, with_sound=False)
        status, _, told = run(videos, out)
        assert (status, [clip["name"] for clip in listed(out)]) == (0, ["spin/spin1"])
        assert "text.mp4: NOT_A_VIDEO: This file is not a video" in told
        assert "cut.mp4: DAMAGED_FILE: The video is damaged" in told
        assert "empty.mov: " in told
        assert "quiet.mp4: NO_BEAT: We could not hear a beat in this clip." in told
        assert "1 of 5 videos" in told

    def test_a_video_with_nobody_in_it_is_not_looked_at_for_two(self, videos, out, digest, run, monkeypatch):
        pose = PoseFeatures.from_bytes((out / f"{digest}.pose.npz").read_bytes())
        nobody = replace(pose, image=pose.image * float("nan"), visibility=pose.visibility * 0)
        (out / f"{digest}.pose.npz").write_bytes(nobody.to_bytes())
        (out / f"{digest}.couple.npz").unlink()
        monkeypatch.setattr(couple, "extract", pytest.fail)
        status, (said,), told = run(videos, out)
        assert (status, said) == (1, "dancebits: NO_CLIPS: None of the videos can be used.")
        assert "spin/spin1.mp4: NOBODY_FOUND: We could not see anybody dancing." in told
        assert listed(out) == []

    @pytest.mark.usefixtures("nothing_is_looked_at")
    def test_the_same_video_counts_once(self, videos, sample, out, run):
        shutil.copy(sample, videos / "again.mp4")
        _, _, told = run(videos, out)
        assert "spin/spin1.mp4: DUPLICATE_VIDEO: It is the same video as again.mp4." in told
        assert [clip["name"] for clip in listed(out)] == ["again"]

    @pytest.mark.usefixtures("nothing_is_looked_at")
    def test_two_that_differ_but_in_their_suffix_cannot_have_one_name(self, videos, out, run):
        (videos / "spin" / "spin1.webm").write_text("no video, but it comes later")
        _, _, told = run(videos, out)
        assert "spin/spin1.webm: DUPLICATE_NAME: But for its suffix it is called as spin/spin1.mp4 is." in told

    def test_a_folder_without_videos(self, tmp_path, run):
        assert run(tmp_path, tmp_path / "out")[0] == 1

    def test_a_folder_that_is_not_there(self, tmp_path, run):
        status, (said,), _ = run(tmp_path / "nothing", tmp_path / "out")
        assert (status, said) == (1, f"dancebits: NOT_FOUND: There is no folder {tmp_path / 'nothing'}.")
        assert not (tmp_path / "out").exists()

    def test_a_machine_without_the_estimator_is_no_fault_of_the_video(self, videos, out, digest, run, monkeypatch):
        (out / f"{digest}.couple.npz").unlink()
        monkeypatch.setattr(couple, "extract", partial(_raise, MissingTool("There is no MediaPipe.")))
        status, (said,), _ = run(videos, out)
        assert (status, said) == (1, "dancebits: MISSING_TOOL: There is no MediaPipe.")
        assert not (out / "clips.json").exists()

    def test_a_video_that_is_damaged_further_on_is_left_out_too(self, videos, out, digest, run, monkeypatch):
        (out / f"{digest}.couple.npz").unlink()
        monkeypatch.setattr(couple, "extract", partial(_raise, DamagedFile()))
        status, _, told = run(videos, out)
        assert (status, "spin/spin1.mp4: DAMAGED_FILE" in told) == (1, True)


def _raise(error, *_, **__):
    raise error


class TestGoingOn:
    @pytest.mark.usefixtures("nothing_is_looked_at")
    def test_what_is_there_is_kept_under_whatever_name_the_video_goes(self, videos, out, run, digest):
        before = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
        (videos / "spin" / "spin1.mp4").rename(videos / "turn.mp4")
        assert run(videos, out)[0] == 0
        assert {path.name: path.stat().st_mtime_ns for path in out.glob("*.npz")} == before
        assert [(clip["name"], clip["digest"]) for clip in listed(out)] == [("turn", digest)]

    def test_a_run_that_was_stopped_leaves_whole_files_and_the_next_goes_on(
        self, videos, out, digest, run, monkeypatch
    ):
        (out / f"{digest}.couple.npz").unlink()
        with monkeypatch.context() as stopping:
            stopping.setattr(couple, "extract", partial(_raise, KeyboardInterrupt()))
            status, (said,), _ = run(videos, out)
        assert (status, "Stopped." in said) == (1, True)
        assert {path.name for path in out.iterdir()} == {f"{digest}.audio.npz", f"{digest}.pose.npz"}
        monkeypatch.setattr(extraction, "extract", pytest.fail)
        assert run(videos, out)[0] == 0
        assert len(clips_in(out)) == 1

    def test_a_run_that_was_stopped_while_it_wrote_leaves_no_half_of_a_file(
        self, videos, out, digest, run, monkeypatch
    ):
        (out / f"{digest}.audio.npz").unlink()
        with monkeypatch.context() as stopping:
            stopping.setattr(Path, "replace", partial(_raise, KeyboardInterrupt()))
            assert run(videos, out)[0] == 1
        assert {path.name for path in out.glob("*.npz")} == {f"{digest}.pose.npz", f"{digest}.couple.npz"}
        assert run(videos, out)[0] == 0
        assert {path.name for path in out.iterdir()} == {"clips.json", *(f"{digest}.{what}.npz" for what in KINDS)}

    @pytest.mark.parametrize("what", KINDS)
    def test_a_damaged_file_is_made_anew(self, videos, out, digest, run, what):
        path = out / f"{digest}.{what}.npz"
        path.write_bytes(path.read_bytes()[:500])
        assert run(videos, out)[0] == 0
        assert len(clips_in(out)) == 1

    def test_another_rate_is_another_extraction(self, videos, out, run):
        assert run(videos, out, "--rate", "10")[0] == 0
        (clip,) = clips_in(out)
        assert (clip.pose.rate_hz, len(clip.pose), clip.audio.rate_hz, clip.couple.rate_hz) == (10.0, 30, 10.0, 10.0)


class TestLearning:
    def test_the_videos_become_clips_by_the_command(self, videos, out):
        (videos / "annotations.json").write_text(json.dumps([entry("spin/spin1.mp4", "spin")]))
        (clip,) = extracted(videos, None, out)
        assert (clip.name, clip.label) == ("spin/spin1", "spin")
        assert clip.couple is not None

    def test_what_the_command_complains_of_is_the_error(self, tmp_path):
        with pytest.raises(NotExtracted, match="NOT_FOUND: There is no folder"):
            extracted(tmp_path / "nothing", None, tmp_path / "out")
