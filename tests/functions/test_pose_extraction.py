"""Poses of a drawn dancer, whose joints are known: found, placed, masked, and free of seams."""

import io
import subprocess
import sys
import threading
from pathlib import Path

import av
import numpy as np
import pytest

from functions.pose import extraction, landmarker
from functions.pose.extraction import extract
from functions.pose.landmarker import Landmarker
from infra.local.sample.video import Sample, write_sample
from shared.errors import DamagedFile, MissingTool, NotAVideo, Unavailable
from shared.features import PoseFeatures
from shared.timeline import SampleSpan, chunks, sample_count, sample_times_s
from tests.functions.pose_model import pose_model

RATE_HZ = 15.0
CHUNK_S = 1.5  # short ones, so that a short video has several
DURATION_S = 6.0
COUNT = sample_count(DURATION_S, RATE_HZ)
TRUNK_AND_LEGS = [11, 12, 23, 24, 25, 26, 27, 28]


@pytest.fixture(scope="module")
def model() -> Path:
    return pose_model()


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> Sample:
    path = tmp_path_factory.mktemp("pose") / "dance.mp4"
    return write_sample(path, duration_s=DURATION_S, width=640, height=360, with_sound=False)


@pytest.fixture(autouse=True)
def short_chunks(monkeypatch):
    monkeypatch.setattr(extraction, "CHUNK_S", CHUNK_S)


@pytest.fixture(scope="module")
def whole(sample, model) -> PoseFeatures:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extraction, "CHUNK_S", CHUNK_S)
        return of(sample.path, model)


def of(path: Path, model: Path, span: SampleSpan | None = None, count: int = COUNT, **options) -> PoseFeatures:
    return extract(lambda: path.open("rb"), model, RATE_HZ, span or SampleSpan(0, count), count=count, **options)


def video(path: Path, pictures, rate: int = 15) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        for i, picture in enumerate(pictures):
            if i == 0:
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))
    return path


def wall(count: int, height: int = 120, width: int = 160) -> list[np.ndarray]:
    """Nobody."""
    picture = np.random.default_rng(0).integers(90, 130, (height, width, 3)).astype(np.uint8)
    return [picture] * count


class TestTruth:
    def test_the_dancer_is_found_in_every_sample(self, whole):
        assert len(whole) == COUNT
        assert whole.detected_share == 1.0
        assert (whole.rate_hz, whole.first_sample) == (RATE_HZ, 0)

    def test_the_landmarks_are_where_the_joints_are(self, sample, whole):
        truth = sample.dance.pose(sample_times_s(COUNT, RATE_HZ))
        apart = np.linalg.norm(whole.image - truth.image, axis=2)[:, TRUNK_AND_LEGS]
        height = np.ptp(truth.image[..., 1], axis=1).mean()
        assert np.median(apart) < 0.05 * height

    def test_what_is_left_in_the_picture_is_left_and_what_is_up_is_up(self, sample, whole):
        truth = sample.dance.pose(sample_times_s(COUNT, RATE_HZ))
        for axis in (0, 1):
            mine, theirs = (part[:, TRUNK_AND_LEGS, axis].ravel() for part in (whole.image, truth.image))
            assert np.corrcoef(mine, theirs)[0, 1] > 0.9

    def test_world_landmarks_are_metres_from_the_hips(self, whole):
        hips = whole.world[:, [23, 24]].mean(axis=1)
        np.testing.assert_allclose(hips, 0, atol=0.03)
        leg_m = np.linalg.norm(whole.world[:, 23] - whole.world[:, 27], axis=1)
        assert 0.5 < np.median(leg_m) < 1.1

    def test_visibility_is_a_share(self, whole):
        assert whole.visibility.min() >= 0
        assert whole.visibility.max() <= 1
        assert np.median(whole.visibility) > 0.8


class TestSeams:
    def test_shards_joined_are_the_whole_to_the_last_bit(self, sample, model, whole):
        pieces = chunks(COUNT, RATE_HZ, CHUNK_S)
        assert len(pieces) == 4
        one, three = SampleSpan(0, pieces[0].stop), SampleSpan(pieces[1].start, COUNT)
        parts = [of(sample.path, model, three, workers=1), of(sample.path, model, one)]
        assert [part.first_sample for part in parts] == [three.start, 0]
        joined = PoseFeatures.joined(parts)
        for name in ("image", "world", "visibility"):
            np.testing.assert_array_equal(getattr(joined, name), getattr(whole, name))

    @pytest.mark.parametrize("workers", [1, 3, 9])
    def test_the_number_of_workers_changes_nothing(self, sample, model, whole, workers):
        np.testing.assert_array_equal(of(sample.path, model, workers=workers).image, whole.image)

    def test_a_seam_shows_no_more_than_any_other_moment(self, whole):
        step = np.median(np.linalg.norm(np.diff(whole.image, n=2, axis=0), axis=2), axis=1)
        seams = [piece.start - 1 for piece in chunks(COUNT, RATE_HZ, CHUNK_S)[1:]]
        assert step[seams].max() < 2 * np.percentile(step, 95)

    @pytest.mark.parametrize("rate_hz", [15.0, 40.0])
    def test_pictures_that_are_missing_before_a_seam_change_nothing(self, sample, model, monkeypatch, rate_hz):
        count = sample_count(DURATION_S, rate_hz)
        pieces = chunks(count, rate_hz, CHUNK_S)
        hole = range(pieces[1].start + 5, pieces[2].start - 3)
        everything = extraction.frames
        monkeypatch.setattr(
            extraction,
            "frames",
            lambda *args, **options: (f for f in everything(*args, **options) if f.sample not in hole),
        )
        spans = (SampleSpan(0, count), SampleSpan(pieces[2].start, count))
        whole, end = (extract(lambda: sample.path, model, rate_hz, span, count=count, workers=1) for span in spans)
        assert not whole.detected[hole.start : hole.stop].any()
        np.testing.assert_array_equal(whole.image[pieces[2].start :], end.image)

    def test_a_span_that_cuts_a_chunk_is_refused(self, sample, model):
        with pytest.raises(ValueError, match="whole chunks"):
            of(sample.path, model, SampleSpan(0, 10))

    def test_no_samples_are_no_pose(self, sample, model):
        assert len(of(sample.path, model, SampleSpan(0, 0), count=0)) == 0


class TestMasked:
    def test_where_nobody_is_nothing_is_invented(self, model, tmp_path):
        pose = of(video(tmp_path / "wall.mp4", wall(45)), model, count=45)
        assert not pose.detected.any()
        assert np.isnan(pose.image).all()
        assert np.isnan(pose.world).all()
        assert (pose.visibility == 0).all()

    def test_after_the_last_picture_nobody_is_seen(self, sample, model):
        pose = of(sample.path, model, count=COUNT + 30)
        assert pose.detected[:COUNT].all()
        assert not pose.detected[COUNT + 15 :].any()

    def test_a_picture_of_odd_width_is_read_as_it_is(self, sample, model):
        with av.open(str(sample.path)) as container:
            picture = next(container.decode(video=0)).to_ndarray(format="rgb24")
        narrow = picture[:, 100:537]
        assert not narrow.flags.c_contiguous
        with Landmarker(model, RATE_HZ) as one, Landmarker(model, RATE_HZ) as other:
            seen = one.landmarks(narrow, 0)
            assert seen is not None
            np.testing.assert_array_equal(seen, other.landmarks(np.ascontiguousarray(narrow), 0))

    def test_an_upright_video_is_measured_in_its_own_height(self, sample, model, tmp_path):
        with av.open(str(sample.path)) as container:
            pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)][:20]
        upright = [np.ascontiguousarray(picture[:, 220:420]) for picture in pictures]
        pose = of(video(tmp_path / "upright.mp4", upright), model, count=20)
        truth = sample.dance.pose(sample_times_s(20, 30.0)).image - [220 / 360, 0]
        assert np.median(np.linalg.norm(pose.image - truth, axis=2)[:, TRUNK_AND_LEGS]) < 0.04


class TestTrouble:
    """What goes wrong comes out as it is, and leaves no thread and no open file."""

    @pytest.fixture(autouse=True)
    def no_thread_stays(self):
        yield
        names = [thread.name for thread in threading.enumerate() if thread.name.startswith("pose-")]
        assert names == []

    def test_progress_rises_to_the_end_in_the_thread_that_asked(self, sample, model):
        told = []
        of(sample.path, model, report=lambda share: told.append((share, threading.get_ident())))
        shares = [share for share, _ in told]
        assert shares == sorted(shares)
        assert shares[-1] == 1.0
        assert {thread for _, thread in told} == {threading.get_ident()}

    def test_whoever_stops_it_is_heard_at_once(self, sample, model):
        files = []

        def opened():
            files.append(sample.path.open("rb"))
            return files[-1]

        def interrupt(share):
            raise InterruptedError

        with pytest.raises(InterruptedError) as caught:
            extract(opened, model, RATE_HZ, SampleSpan(0, COUNT), count=COUNT, report=interrupt)
        assert caught.traceback  # the traceback lives, and still no thread does
        assert len(files) == 2
        assert all(file.closed for file in files)

    def test_a_source_that_cannot_be_opened(self, model):
        def gone():
            raise Unavailable("the bucket does not answer")

        with pytest.raises(Unavailable, match="the bucket"):
            extract(gone, model, RATE_HZ, SampleSpan(0, COUNT), count=COUNT)

    def test_a_source_that_fails_while_it_is_read(self, sample, model):
        class Failing(io.BytesIO):
            def read(self, size=-1):
                if self.tell() > 20_000:
                    raise Unavailable("the line broke")
                return super().read(size)

        with pytest.raises(Unavailable, match="the line broke"):
            extract(lambda: Failing(sample.path.read_bytes()), model, RATE_HZ, SampleSpan(0, COUNT), count=COUNT)

    @pytest.mark.parametrize(
        ("content", "error"),
        [(b"no video at all" * 100, NotAVideo), (b"\x00\x00\x00\x18ftypisom" + bytes(500), DamagedFile)],
    )
    def test_what_is_no_video_or_the_beginning_of_one(self, model, content, error):
        with pytest.raises(error):
            extract(lambda: io.BytesIO(content), model, RATE_HZ, SampleSpan(0, COUNT), count=COUNT)

    def test_a_model_that_is_none(self, sample, tmp_path):
        model = tmp_path / "not.task"
        model.write_bytes(b"not a model")
        with pytest.raises(MissingTool, match=r"cannot read the pose model .*not\.task"):
            of(sample.path, model)


class TestLoading:
    def test_it_is_loaded_at_first_use_and_without_what_it_does_not_need(self, model):
        told = python(f"""
            import sys
            import functions.pose.extraction
            print("mediapipe" in sys.modules)
            from pathlib import Path
            from functions.pose.landmarker import Landmarker
            Landmarker(Path({str(model)!r}), 15.0)
            print([name in sys.modules for name in ("mediapipe", "cv2", "matplotlib")])
            import matplotlib
            print(matplotlib.__version__ > "3")
        """)
        assert told.stdout.split("\n")[:3] == ["False", "[True, False, False]", "True"]

    def test_a_system_library_that_is_missing_is_named_with_its_packages(self, model):
        told = python(f"""
            import ctypes
            def missing(self, name, *args, **kwargs):
                raise OSError("libEGL.so.1: cannot open shared object file: No such file or directory")
            from functions.pose.landmarker import Landmarker
            ctypes.CDLL.__init__ = missing
            from pathlib import Path
            from shared.errors import MissingTool
            try:
                Landmarker(Path({str(model)!r}), 15.0)
            except MissingTool as error:
                print(error)
        """)
        assert "libEGL.so.1" in told.stdout
        assert "apt-get install libegl1 libgles2" in told.stdout

    def test_without_the_package_it_says_what_to_install(self, model):
        told = python(f"""
            import sys
            sys.modules["mediapipe"] = None
            from pathlib import Path
            from functions.pose.landmarker import Landmarker
            from shared.errors import MissingTool
            try:
                Landmarker(Path({str(model)!r}), 15.0)
            except MissingTool as error:
                print(error)
        """)
        assert "pip install 'dancebits[landmarks]'" in told.stdout

    def test_it_is_quiet_and_lets_other_messages_through(self, model):
        told = python(f"""
            import os, sys
            import numpy as np
            from pathlib import Path
            from functions.pose import landmarker
            with landmarker.Landmarker(Path({str(model)!r}), 15.0) as one:
                one.landmarks(np.zeros((90, 160, 3), np.uint8), 0)
            with landmarker._without_noise():
                os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\\n")
                os.write(2, b"something went wrong\\n")
            print("after", file=sys.stderr)
        """)
        assert told.stderr == "something went wrong\nafter\n"

    def test_a_failure_in_quiet_is_heard(self):
        with pytest.raises(ZeroDivisionError), landmarker._without_noise():
            raise ZeroDivisionError


def python(program: str) -> subprocess.CompletedProcess[str]:
    """A program run in a process of its own."""
    lines = program.split("\n")
    text = "\n".join(line[12:] for line in lines)
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done
