"""Both dancers of a drawn couple: found, kept apart, and the same from one shard or many."""

from pathlib import Path

import numpy as np
import pytest

from functions.pose import couple, extraction
from functions.pose.silhouette import CELL, apart, colours, fit, outline, without
from infra.local.sample.dancer import Dance, dance
from infra.local.sample.drawing import Painter
from infra.local.sample.song import bachata
from shared.couple import Couple
from shared.timeline import FloatArray, SampleSpan, chunks, sample_count, sample_times_s
from tests.functions.pose_model import pose_model
from tests.functions.test_pose_extraction import video, wall

RATE_HZ = 15.0
CHUNK_S = 1.5
DURATION_S = 4.0
COUNT = sample_count(DURATION_S, RATE_HZ)
WIDTH, HEIGHT = 320, 360  # of either half


@pytest.fixture(scope="module")
def model() -> Path:
    return pose_model()


@pytest.fixture(scope="module")
def dances() -> tuple[Dance, Dance]:
    song = bachata(DURATION_S, 126.0, seed=0)
    return dance(song, 0, aspect=WIDTH / HEIGHT), dance(song, 1, aspect=WIDTH / HEIGHT)


@pytest.fixture(scope="module")
def path(dances, tmp_path_factory) -> Path:
    """Two dancers side by side, the right one in another light."""
    times_s, painter = sample_times_s(COUNT, RATE_HZ), Painter.of_size(WIDTH, HEIGHT)
    left, right = (painter.frames(one.figure(times_s)) for one in dances)
    pictures = [np.concatenate([a, b[..., ::-1]], axis=1)[..., ::-1] for a, b in zip(left, right, strict=True)]
    return video(tmp_path_factory.mktemp("couple") / "couple.mp4", map(np.ascontiguousarray, pictures))


@pytest.fixture(autouse=True)
def short_chunks(monkeypatch):
    monkeypatch.setattr(extraction, "CHUNK_S", CHUNK_S)


@pytest.fixture(scope="module")
def whole(path, model) -> Couple:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extraction, "CHUNK_S", CHUNK_S)
        return of(path, model)


def of(path: Path, model: Path, span: SampleSpan | None = None, **options) -> Couple:
    return couple.extract(lambda: path.open("rb"), model, RATE_HZ, span or SampleSpan(0, COUNT), count=COUNT, **options)


def trunk_of(image: FloatArray) -> FloatArray:
    return image[:, [11, 12, 23, 24]].mean(axis=1)


class TestTruth:
    def test_both_are_found(self, whole):
        assert len(whole) == COUNT
        assert whole.both_detected.mean() > 0.9

    def test_each_is_where_one_of_the_two_dances_throughout(self, whole, dances):
        settled = whole.settled()
        places = sorted([settled.lead, settled.follow], key=lambda pose: float(np.nanmedian(pose.image[..., 0])))
        for number, (pose, one) in enumerate(zip(places, dances, strict=True)):
            truth = trunk_of(one.pose(sample_times_s(COUNT, RATE_HZ)).image)
            truth[:, 0] += number * WIDTH / HEIGHT
            off = np.linalg.norm(trunk_of(pose.image) - truth, axis=1)
            assert np.nanmedian(off) < 0.05
            assert np.nanmax(off) < 0.4

    def test_the_colours_are_those_of_shirt_and_trousers(self, whole):
        red, blue = np.nanmedian(whole.colours[:, :, 0], axis=0), np.nanmedian(whole.colours[:, :, 2], axis=0)
        assert sorted(red > blue) == [False, True]  # a red shirt, and one in the other light


class TestSeams:
    def test_shards_joined_are_the_whole_to_the_last_bit(self, path, model, whole):
        pieces = chunks(COUNT, RATE_HZ, CHUNK_S)
        spans = SampleSpan(pieces[1].start, COUNT), SampleSpan(0, pieces[0].stop)
        joined = Couple.joined([of(path, model, span, workers=1) for span in spans])
        np.testing.assert_array_equal(joined.one.image, whole.one.image)
        np.testing.assert_array_equal(joined.other.world, whole.other.world)
        np.testing.assert_array_equal(joined.colours, whole.colours)


def test_where_nobody_is_nothing_is_invented(model, tmp_path):
    seen = of(video(tmp_path / "wall.mp4", wall(COUNT)), model)
    assert not seen.detected.any()
    assert np.isnan(seen.colours).all()
    assert not seen.settled().exchanged.any()


def test_one_dancer_is_not_taken_for_two(model, dances, tmp_path):
    figures = Painter.of_size(WIDTH, HEIGHT).frames(dances[0].figure(sample_times_s(COUNT, RATE_HZ)))
    pictures = [np.ascontiguousarray(picture[..., ::-1]) for picture in figures]
    seen = of(video(tmp_path / "alone.mp4", pictures), model)
    assert seen.detected.all()
    assert seen.both_detected.mean() < 0.2


class TestSilhouette:
    @pytest.fixture
    def body(self, dances) -> FloatArray:
        """A perfect estimator's landmarks of a body."""
        pose = dances[0].pose(np.zeros(1))
        return np.concatenate([pose.image[0], pose.world[0], np.ones((33, 1))], axis=1)

    def test_the_outline_holds_the_joints_and_little_else(self, body):
        mask = outline(body, HEIGHT, WIDTH)
        x, y = (body[11:29, :2] * HEIGHT / CELL).astype(int).T
        assert mask[y, x].all()
        assert mask.mean() < 0.35

    @pytest.mark.parametrize("way", [(-9, 0), (9, 0), (0, -9), (0, 9), (0.4, 0.4)])
    def test_a_body_may_lie_anywhere(self, body, way):
        body[:, :2] += way
        picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        assert outline(body, HEIGHT, WIDTH).any() == (max(way) < 1 and min(way) > -1)
        assert np.isfinite(colours(picture, body)).all() or abs(sum(way)) > 0.5

    def test_what_is_painted_over_is_gone_and_all_else_is_as_it_was(self):
        picture = np.full((42, 30, 3), 50, np.uint8)
        picture[8:16, 8:16] = 200
        mask = np.zeros((11, 8), bool)
        mask[2:4, 2:4] = True
        assert (without(picture, mask) == 50).all()
        assert (picture[8:16, 8:16] == 200).all()
        assert (without(picture, np.ones((11, 8), bool)) == 128).all()

    def test_a_body_is_near_itself_and_its_mirrored_self(self, body):
        mirrored = body.copy()
        mirrored[[11, 12, 23, 24, 25, 26, 27, 28]] = body[[12, 11, 24, 23, 26, 25, 28, 27]]
        assert apart(body, body) == apart(body, mirrored) == 0
        assert apart(body, body + np.eye(6)[0]) > 1

    def test_metres_lie_upon_the_picture_where_both_are_of_one_body(self, body):
        assert fit(body).misfit < 0.15
        body[:, 2:5] = body[::-1, 2:5]
        assert fit(body).misfit > 0.5
