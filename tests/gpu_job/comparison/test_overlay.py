"""The video: both dancers in step, upright, with the teacher's sound, whatever can be read of them."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from gpu_job.comparison.figures import STUDENT, TEACHER
from gpu_job.comparison.findings import Comparison
from gpu_job.comparison.overlay import RATE_HZ, overlay_video
from gpu_job.comparison.overlay_sheet import HEIGHT, SCORE_COLOURS, WIDTH, Layout, Patch
from gpu_job.drawing import Colour
from shared.errors import SourceGone
from shared.media import Picture, frames, probe, sound
from tests.gpu_job.comparison.compared import HOSTILE, blind, compared, mirrored, rolled
from tests.shared.media_files import Recipe, click_times, number_of, write

BEATS = 4
FILMED_HZ = 30.0
WIDE, UPRIGHT = 64 / 48, 48 / 64


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each picture shows its number; clicks are heard at 1.5 and 2.75 s."""
    path = tmp_path_factory.mktemp("filmed") / "filmed.mp4"
    return write(path, Recipe(count=140, rate_hz=FILMED_HZ, clicks_s=(1.5, 2.75)))


def shot(comparison: Comparison, teacher: Path | None, student: Path | None, folder: Path) -> Path:
    overlay_video(comparison, teacher, student, folder / "overlay.mp4")
    return folder / "overlay.mp4"


def pictures(path: Path) -> list[Picture]:
    return [frame.picture for frame in frames(path, RATE_HZ)]


def within(picture: Picture, patch: Patch) -> Picture:
    return picture[patch.y : patch.y + patch.height, patch.x : patch.x + patch.width]


def of_colour(picture: Picture, colour: Colour) -> int:
    """How many pixels have about this colour, as encoding leaves it."""
    return int((np.abs(picture.astype(int) - colour).max(axis=2) <= 40).sum())


def test_the_student_is_shown_when_she_does_what_the_teacher_does(filmed: Path, tmp_path: Path) -> None:
    comparison, layout = compared(BEATS, offset_s=1.3), Layout.of(WIDE, WIDE)
    shown = pictures(shot(comparison, filmed, filmed, tmp_path))
    assert len(shown) == pytest.approx(BEATS * 0.5 * RATE_HZ, abs=1)
    for number in range(0, len(shown), 7):
        teacher_s = 1.0 + number / RATE_HZ
        assert number_of(within(shown[number], layout.teacher)) == pytest.approx(teacher_s * FILMED_HZ, abs=1)
        assert number_of(within(shown[number], layout.student)) == pytest.approx((teacher_s + 1.3) * FILMED_HZ, abs=1)


def test_a_slower_student_stays_in_step(filmed: Path, tmp_path: Path) -> None:
    comparison, layout = compared(BEATS), Layout.of(WIDE, WIDE)
    slower = replace(comparison, clock=replace(comparison.clock, student_s=0.2 + 1.25 * comparison.clock.teacher_s))
    shown = pictures(shot(slower, filmed, filmed, tmp_path))
    for number in (0, 25, 50):
        student_s = 0.2 + 1.25 * (1.0 + number / RATE_HZ)
        assert number_of(within(shown[number], layout.student)) == pytest.approx(student_s * FILMED_HZ, abs=1)


def test_a_mirrored_student_is_mirrored_back(filmed: Path, tmp_path: Path) -> None:
    shown = pictures(shot(mirrored(compared(1)), filmed, filmed, tmp_path))[10]
    layout = Layout.of(WIDE, WIDE)
    teacher, student = within(shown, layout.teacher), within(shown, layout.student)
    assert number_of(student[:, ::-1]) == number_of(teacher)
    assert number_of(student) != number_of(teacher)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_student_on_her_side_is_turned_upright(degrees: int, filmed: Path, tmp_path: Path) -> None:
    shown = pictures(shot(rolled(compared(1), degrees), filmed, filmed, tmp_path))[10]
    layout = Layout.of(WIDE, WIDE if degrees == 180 else UPRIGHT)
    lying = np.rot90(within(shown, layout.student), -degrees // 90)
    assert number_of(lying) == number_of(within(shown, layout.teacher))


@pytest.mark.parametrize("degrees", [90, 270])
def test_a_teacher_on_her_side_is_turned_upright(degrees: int, filmed: Path, tmp_path: Path) -> None:
    shown = pictures(shot(rolled(compared(1), 0, degrees), filmed, filmed, tmp_path))[10]
    layout = Layout.of(UPRIGHT, WIDE)
    beside_her_name = within(shown, layout.teacher)[:, -40:]
    assert number_of(np.rot90(beside_her_name, -degrees // 90)) == number_of(within(shown, layout.student))


def test_the_teachers_sound_goes_with_the_teachers_picture(filmed: Path, tmp_path: Path) -> None:
    silent = write(tmp_path / "silent.mp4", Recipe(count=140, sound=None))
    samples = sound(shot(compared(BEATS), filmed, silent, tmp_path), 16000, 10.0)
    assert samples is not None
    assert click_times(samples, 16000) == pytest.approx([0.5, 1.75], abs=0.02)
    assert probe(shot(compared(1), silent, filmed, tmp_path)).audio is None


def test_the_colour_beneath_the_student_is_that_of_the_score(filmed: Path, tmp_path: Path) -> None:
    comparison, patch = compared(BEATS), Layout.of(0.75, WIDE).student
    scores = np.where(comparison.clock.beats < 2, 10.0, 90.0)
    shown = pictures(shot(replace(comparison, curves=replace(comparison.curves, score=scores)), None, filmed, tmp_path))
    for number, band in ((10, "low"), (len(shown) - 10, "high")):
        beneath = shown[number][patch.y + patch.height + 3, patch.x + patch.width // 2].astype(int)
        assert np.abs(beneath - SCORE_COLOURS[band]).max() < 30


def test_without_videos_the_figures_dance_on_paper(tmp_path: Path) -> None:
    path = shot(compared(1), None, None, tmp_path)
    layout, shown = Layout.of(0.75, 0.75), pictures(path)
    assert probe(path).audio is None
    for patch, colour in ((layout.teacher, TEACHER), (layout.student, STUDENT)):
        assert of_colour(within(shown[5], patch), colour) > 2000
    assert of_colour(within(shown[5], layout.figures), STUDENT) > 100


def test_a_video_that_is_none_is_left_out(tmp_path: Path) -> None:
    noise = tmp_path / "noise.mp4"
    noise.write_bytes(bytes(range(256)) * 40)
    shown = pictures(shot(compared(2), noise, noise, tmp_path))
    assert of_colour(within(shown[5], Layout.of(0.75, 0.75).teacher), TEACHER) > 2000


def test_where_a_video_ends_early_the_figure_goes_on(tmp_path: Path) -> None:
    short = write(tmp_path / "short.mp4", Recipe(count=60))
    layout, shown = Layout.of(WIDE, 0.75), pictures(shot(compared(BEATS), short, None, tmp_path))
    assert of_colour(within(shown[5], layout.teacher), TEACHER) < 200
    assert of_colour(within(shown[-5], layout.teacher), TEACHER) > 2000


class Vanishing(io.BytesIO):
    """Can be read so often, and then is gone."""

    def __init__(self, content: bytes, reads: int) -> None:
        super().__init__(content)
        self.reads_left = reads

    def read(self, size: int | None = -1) -> bytes:
        self.reads_left -= 1
        if self.reads_left < 0:
            raise SourceGone
        return super().read(size)


def test_it_is_told_whether_both_videos_are_shown_throughout(filmed: Path, tmp_path: Path) -> None:
    target, short = tmp_path / "overlay.mp4", write(tmp_path / "short.mp4", Recipe(count=60))
    assert overlay_video(compared(6), filmed, filmed, target)
    assert not overlay_video(compared(6), filmed, None, target)
    assert not overlay_video(compared(10), filmed, short, target)
    assert not overlay_video(compared(10), short, filmed, target)


def test_a_video_that_vanishes_meanwhile_is_not_shown_throughout(filmed: Path, tmp_path: Path) -> None:
    target, recipe = tmp_path / "overlay.mp4", Recipe(count=140, size=(320, 240), noisy=True, sound=None)
    content = write(tmp_path / "large.mp4", recipe).read_bytes()
    lasting = Vanishing(content, reads=1000)
    assert overlay_video(compared(6), filmed, lasting, target)
    reads = 1000 - lasting.reads_left
    assert not overlay_video(compared(6), filmed, Vanishing(content, reads - 1), target)
    student = Layout.of(WIDE, WIDE).student
    shown = [of_colour(within(picture, student), STUDENT) > 2000 for picture in pictures(target)]
    assert shown == sorted(shown)
    assert (shown[0], shown[-1]) == (False, True)


@pytest.mark.parametrize(
    "comparison", [compared(0), blind(compared(2)), compared(2, label=HOSTILE), compared(2, label="")]
)
def test_every_comparison_has_a_video(comparison: Comparison, tmp_path: Path) -> None:
    assert pictures(shot(comparison, None, None, tmp_path))[0].shape == (HEIGHT, WIDTH, 3)


def test_phones_can_play_it_while_it_loads(filmed: Path, tmp_path: Path) -> None:
    path = shot(compared(1), filmed, filmed, tmp_path)
    assert path.read_bytes().index(b"moov") < path.read_bytes().index(b"mdat")
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec.canonical_name, stream.pix_fmt) == ("h264", "yuv420p")
        stamps = [(packet.pts, packet.dts) for packet in container.demux(stream) if packet.pts is not None]
    assert all(pts == dts for pts, dts in stamps)


@pytest.mark.parametrize("aspects", [(1.78, 1.78), (0.56, 0.56), (1.78, 0.56), (0.42, 2.4), (2.4, 2.4), (1.0, 1.0)])
def test_nothing_lies_over_anything_else(aspects: tuple[float, float]) -> None:
    layout = Layout.of(*aspects)
    covered = np.zeros((HEIGHT, WIDTH), int)
    for patch in (layout.teacher, layout.student, layout.figures, layout.score, layout.now):
        assert min(patch.x, patch.y) >= 0
        assert patch.x + patch.width <= WIDTH
        assert patch.y + patch.height <= HEIGHT
        within(covered, patch)[:] += 1
    assert covered.max() == 1
