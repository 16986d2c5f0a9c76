"""The whole chain in one process: what is true of a drawn sample is found in it, and every file is written."""

import json
import os
import re
from hashlib import sha256

import av
import boto3
import numpy as np
import pytest
from moto.server import ThreadedMotoServer

from gpu_job.segmentation.moves import DEFAULT_METHOD
from gpu_job.titles import title
from infra.local import cli, oneshot
from infra.local.sample.video import write_sample
from shared.errors import NotFound
from shared.job import State
from tests.benchmarks.truth import found_in

RESULT = {
    "schema", "kind", "source", "tempo_bpm", "beats_s", "downbeats_s", "moves", "pose", "segmented_probs",
    "segmented_percentages", "method", "timings_s", "warnings",
}  # fmt: skip
SOURCE = {"name", "sha256", "container", "codecs", "width", "height", "rotation", "duration_s"}
MOVE = {"start_s", "end_s", "counts", "label", "confidence", "names", "letter", "probability"}
CURVES = {"time_s", "boundary_probability", "novelty", "onset"}


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    return write_sample(tmp_path_factory.mktemp("sample") / "my dance.mp4", duration_s=16.0, width=640, height=360)


@pytest.fixture(scope="module")
def found(sample):
    return found_in(sample)


@pytest.fixture(scope="module")
def run(sample, tmp_path_factory):
    """The files of ``dancebits segment``, and the states that it went through."""
    out, states = tmp_path_factory.mktemp("out"), []
    job = oneshot.run(oneshot.local_clip(sample.path), out, {}, os.environ, states.append)
    assert job.state is State.DONE, job.error
    return out, states


@pytest.fixture(scope="module")
def result(run):
    return json.loads((run[0] / "result.json").read_text())


class TestTruth:
    def test_half_of_the_beats_are_within_20_ms(self, found, sample):
        assert found.beat_error_s <= 0.02
        assert abs(len(found.job.result["beats_s"]) - len(sample.song.beats)) <= 2

    def test_half_of_the_joints_are_within_a_twentieth_of_the_body(self, found):
        assert found.joint_error <= 0.05

    def test_moves_start_where_they_were_danced(self, found):
        assert found.boundaries_f >= 0.9

    def test_moves_last_as_many_counts_as_they_were_danced(self, found, sample):
        *counts, last = [move["counts"] for move in found.job.result["moves"]]
        *true_counts, true_last = [move.counts for move in sample.dance.moves]
        assert counts == true_counts
        assert last == pytest.approx(true_last, abs=1)  # it fades into standing still

    def test_the_tempo_is_the_songs(self, found, sample):
        assert found.job.result["tempo_bpm"] == pytest.approx(sample.song.tempo_bpm, rel=0.005)

    def test_downbeats_are_the_songs(self, found, sample):
        true = sample.dance.beats.downbeats_s
        assert np.abs(true[:, None] - found.job.result["downbeats_s"]).min(axis=1).max() < 0.05


class TestFiles:
    def test_there_are_those_that_the_readme_names(self, run, result):
        out, _ = run
        titles = [title(move["label"], move["letter"]).replace(" ", "-") for move in result["moves"]]
        clips = {f"moves/{i:02d}_{words}.mp4" for i, words in enumerate(titles, 1)}
        assert {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()} == {
            "result.json", "curves.npz", "timeline.png", *clips,
        }  # fmt: skip

    def test_the_result_has_its_fields(self, result):
        assert set(result) == RESULT
        assert set(result["source"]) == SOURCE
        assert all(set(move) >= MOVE for move in result["moves"])
        assert set(result["pose"]) == {"frames", "rate_hz", "detected_share", "people"}

    def test_the_result_tells_its_source(self, result, sample):
        assert result["source"] == {
            "name": "my dance.mp4", "sha256": sha256(sample.path.read_bytes()).hexdigest(),
            "container": "mov,mp4,m4a,3gp,3g2,mj2", "codecs": {"video": "h264", "audio": "aac"},
            "width": 640, "height": 360, "rotation": 0, "duration_s": pytest.approx(16.0, abs=0.05),
        }  # fmt: skip
        assert (result["schema"], result["kind"]) == (2, "segment")
        assert re.fullmatch(rf"{DEFAULT_METHOD}-\d+", result["method"])

    def test_the_result_holds_together(self, result):
        starts = [move["start_s"] for move in result["moves"]]
        assert starts == sorted(starts)
        assert all(move["start_s"] < move["end_s"] <= 16.05 for move in result["moves"])
        assert all(0 <= move[name] <= 1 for move in result["moves"] for name in ("confidence", "probability"))
        assert set(result["downbeats_s"]) <= set(result["beats_s"])
        assert result["pose"] == {
            "frames": 240,
            "rate_hz": 15.0,
            "detected_share": pytest.approx(1, abs=0.02),
            "people": 1,
        }
        assert len(result["segmented_probs"]) == result["pose"]["frames"]
        fractions = np.array(result["segmented_percentages"])
        np.testing.assert_allclose(fractions * result["source"]["duration_s"], starts[1:], atol=0.002)
        assert result["timings_s"].keys() == {"audio", "pose", "infer", "record"}

    def test_curves_are_of_one_length(self, run, result):
        with np.load(run[0] / "curves.npz") as curves:
            assert set(curves) == CURVES
            assert {curves[name].shape for name in CURVES} == {(result["pose"]["frames"],)}
            assert all(np.isfinite(curves[name]).all() for name in CURVES)

    def test_clips_play_and_last_as_long_as_their_moves(self, run, result):
        """But for the second at most by which a clip that is copied starts early, at a key frame."""
        for path, move in zip(sorted((run[0] / "moves").iterdir()), result["moves"], strict=True):
            shown, heard = played(path)
            assert -0.1 <= shown - (move["end_s"] - move["start_s"]) <= 1.1, path.name
            assert heard == pytest.approx(shown, abs=0.1), path.name

    def test_the_picture_is_one(self, run):
        with av.open(str(run[0] / "timeline.png")) as picture:
            frame = next(picture.decode(video=0))
        assert frame.width > 600
        assert frame.to_ndarray(format="gray").std() > 5

    def test_whoever_watches_sees_the_states_and_progress_never_goes_back(self, run):
        _, jobs = run
        assert list(dict.fromkeys(job.state for job in jobs)) == [
            State.RECEIVED, State.EXTRACTING, State.READY, State.RUNNING, State.DONE,
        ]  # fmt: skip
        progress = [job.progress for job in jobs]
        assert progress == sorted(progress)
        assert len(set(progress)) > 6


def played(clip):
    """Seconds of picture and of sound that a player shows of a clip, everything decoded."""
    with av.open(str(clip)) as container:
        frames = [frame for frame in container.decode(video=0) if frame.time >= 0]
    with av.open(str(clip)) as container:
        sounds = [frame for frame in container.decode(audio=0) if frame.time >= 0]
    heard = sum(frame.samples / frame.sample_rate for frame in sounds)
    return frames[-1].time - frames[0].time + 1 / 30, heard


@pytest.fixture
def s3(monkeypatch):
    """A bucket called ``clips``, at a server that speaks S3."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    named = {"ENDPOINT_URL": f"http://{host}:{port}", "ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b"}
    for name, value in {**named, "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    client = boto3.Session().client("s3")
    client.create_bucket(Bucket="clips")
    yield client
    server.stop()


class TestS3:
    def test_a_clip_is_worked_on_where_it_lies(self, s3, sample, result, tmp_path):
        s3.upload_file(str(sample.path), "clips", "from/a phone.mp4")
        assert cli.main(["segment", "s3://clips/from/a phone.mp4", "--out", str(tmp_path)]) == 0
        told = json.loads((tmp_path / "result.json").read_text())
        assert told["source"] == {**result["source"], "name": "a phone.mp4"}
        assert told["moves"] == result["moves"]

    @pytest.mark.usefixtures("s3")
    def test_an_object_that_is_not_there_is_not_found(self):
        with pytest.raises(NotFound):
            oneshot.s3_clip("s3://clips/nothing.mp4")
        with pytest.raises(NotFound):
            oneshot.s3_clip("s3://nowhere/nothing.mp4")


class TestRepetition:
    def test_a_second_run_replaces_the_first_and_nothing_else(self, tmp_path, capsys):
        short = write_sample(tmp_path / "short.mp4", duration_s=5.0, width=320, height=180).path
        out = tmp_path / "out"
        (out / "moves").mkdir(parents=True)
        mine = [out / "notes.txt", out / "moves" / "holiday.mp4"]
        for path in mine:
            path.write_text("mine")
        old = out / "moves" / "99_old.mp4"
        old.write_bytes(b"")
        (out / "result.json").write_text("{}")
        assert cli.main(["segment", str(short), "--out", str(out)]) == 0
        assert not old.exists()
        assert [path.read_text() for path in mine] == ["mine", "mine"]
        assert "moves" in capsys.readouterr().out

    def test_a_run_that_fails_leaves_the_result_of_the_one_before(self, tmp_path):
        (tmp_path / "text.mp4").write_text("no video")
        out = tmp_path / "out"
        out.mkdir()
        (out / "result.json").write_text("{}")
        oneshot.run(oneshot.local_clip(tmp_path / "text.mp4"), out, {}, os.environ, watch=id)
        assert [path.name for path in out.iterdir()] == ["result.json"]

    def test_what_failed_leaves_nothing_behind(self, tmp_path):
        (tmp_path / "text.mp4").write_text("no video")
        out = tmp_path / "out"
        job = oneshot.run(oneshot.local_clip(tmp_path / "text.mp4"), out, {}, os.environ, watch=id)
        assert (job.state, job.error.code) == (State.FAILED, "NOT_A_VIDEO")
        assert not out.exists()


@pytest.fixture(scope="module")
def compared(sample, tmp_path_factory):
    """The files of ``dancebits compare`` of a dance with itself."""
    out = tmp_path_factory.mktemp("compared")
    assert cli.main(["compare", str(sample.path), str(sample.path), "--out", str(out)]) == 0
    return out


class TestComparison:
    def test_the_same_video_is_the_teacher_again(self, compared, result):
        told = json.loads((compared / "result.json").read_text())
        assert told["score"] >= 99
        assert told["teacher"] == told["student"] == result["source"]
        graded = [move["label"] for move in told["dancers"][0]["moves"]]
        assert graded == [title(move["label"], move["letter"]) for move in result["moves"]]

    def test_there_are_the_files_that_the_readme_names(self, compared):
        names = {path.name for path in compared.iterdir() if path.is_file()}
        assert names == {"report.html", "overlay.mp4", "result.json", "curves.npz"}

    def test_the_overlay_plays_and_lasts_as_long_as_both_dance(self, compared):
        told = json.loads((compared / "result.json").read_text())
        shown, heard = played(compared / "overlay.mp4")
        assert shown == pytest.approx(told["teacher"]["duration_s"], abs=1.0)
        assert heard == pytest.approx(shown, abs=0.2)

    def test_a_teacher_who_is_no_video_fails_and_leaves_nothing(self, sample, tmp_path, capsys):
        (tmp_path / "text.mp4").write_text("no video")
        out = tmp_path / "out"
        assert cli.main(["compare", str(sample.path), str(tmp_path / "text.mp4"), "--out", str(out)]) == 1
        assert "The teacher's video cannot be used." in capsys.readouterr().out
        assert not out.exists()
