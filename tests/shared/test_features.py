"""Features: their codec, what a mask hides, and smoothing that neither delays nor bleeds."""

import io
import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from shared.errors import BadMessage
from shared.features import (
    BLAZEPOSE_BONES,
    BLAZEPOSE_LANDMARKS,
    COCO_TO_BLAZEPOSE,
    MEL_BANDS,
    SCHEMA,
    AudioFeatures,
    PoseFeatures,
)
from shared.timeline import BeatGrid

UNHURRIED = settings(deadline=None, max_examples=50)  # a busy machine is no failure
NUMBERS = st.floats(-1e6, 1e6, width=32) | st.just(float("nan"))
RATES_HZ = st.sampled_from([5.0, 15.0, 24.0, 29.97, 30.0, 60.0])


def arrays(*shape: int, elements=NUMBERS):
    return hnp.arrays(np.float32, shape, elements=elements, fill=elements)


@st.composite
def poses(draw, most: int = 12):
    """Any pose: with holes in landmarks and in samples."""
    count = draw(st.integers(0, most))
    rows = (count, BLAZEPOSE_LANDMARKS)
    visibility = draw(arrays(*rows, elements=st.floats(0, 1, width=32)))
    image, world = draw(arrays(*rows, 2)), draw(arrays(*rows, 3))
    missing = draw(hnp.arrays(bool, count))
    image[missing], world[missing], visibility[missing] = np.nan, np.nan, 0
    return PoseFeatures(draw(RATES_HZ), image, world, visibility, draw(st.integers(0, 10_000)))


@st.composite
def sounds(draw):
    count = draw(st.integers(0, 8))
    beats_s = np.cumsum(draw(hnp.arrays(float, draw(st.integers(0, 6)), elements=st.floats(0.1, 2))))
    tempo_bpm = draw(st.none() | st.floats(60, 200))
    positions = np.arange(len(beats_s)) % 4 + 1
    return AudioFeatures(
        draw(RATES_HZ), draw(st.floats(0, 1e4)), draw(arrays(count, MEL_BANDS)), draw(arrays(count, 12)),
        150.0, draw(arrays(count, 3)), tempo_bpm, draw(st.floats(0, 1)), BeatGrid(beats_s, positions),
    )  # fmt: skip


def standing(count: int = 40, rate_hz: float = 15.0, seed: int = 0) -> PoseFeatures:
    """Somebody who is seen all the time and moves at random."""
    rng = np.random.default_rng(seed)
    rows = (count, BLAZEPOSE_LANDMARKS)
    image, world = rng.random((*rows, 2)), rng.random((*rows, 3))
    return PoseFeatures(rate_hz, image.astype(np.float32), world.astype(np.float32), np.ones(rows, np.float32))


def masked(pose: PoseFeatures, samples) -> PoseFeatures:
    image, world, visibility = pose.image.copy(), pose.world.copy(), pose.visibility.copy()
    image[samples], world[samples], visibility[samples] = np.nan, np.nan, 0
    return replace(pose, image=image, world=world, visibility=visibility)


def assert_same(one, other) -> None:
    for name in one.__dataclass_fields__:
        mine, theirs = getattr(one, name), getattr(other, name)
        if isinstance(mine, BeatGrid):
            assert_same(mine, theirs)
            continue
        np.testing.assert_array_equal(mine, theirs, err_msg=name)
        assert np.asarray(mine).dtype == np.asarray(theirs).dtype, name


class TestCodec:
    @UNHURRIED
    @given(poses())
    def test_a_pose_comes_back_as_it_went(self, pose):
        assert_same(PoseFeatures.from_bytes(pose.to_bytes()), pose)

    @UNHURRIED
    @given(sounds())
    def test_a_sound_comes_back_as_it_went(self, sound):
        assert_same(AudioFeatures.from_bytes(sound.to_bytes()), sound)

    def test_silence_comes_back_as_silence(self):
        silence = AudioFeatures.from_bytes(AudioFeatures.silent(12.5, 15).to_bytes())
        assert silence.is_silent
        assert silence.tempo_bpm is None
        assert silence.duration_s == 12.5

    @UNHURRIED
    @given(st.binary(max_size=200))
    def test_junk_is_a_bad_message(self, junk):
        for features in (PoseFeatures, AudioFeatures):
            with pytest.raises(BadMessage):
                features.from_bytes(junk)

    @UNHURRIED
    @given(st.data())
    def test_a_damaged_file_is_a_bad_message_or_unharmed(self, data):
        pose = standing(3)
        damaged = bytearray(pose.to_bytes())
        place = data.draw(st.integers(0, len(damaged) - 1))
        damaged[place] ^= 1 << data.draw(st.integers(0, 7))
        try:
            found = PoseFeatures.from_bytes(bytes(damaged))
        except BadMessage:
            return
        np.testing.assert_array_equal(found.image, pose.image)

    @pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.99])
    def test_a_file_cut_off_is_a_bad_message(self, part):
        whole = standing().to_bytes()
        with pytest.raises(BadMessage):
            PoseFeatures.from_bytes(whole[: int(part * len(whole))])

    def test_sound_is_not_taken_for_a_pose(self):
        with pytest.raises(BadMessage, match="expected pose features"):
            PoseFeatures.from_bytes(AudioFeatures.silent(1, 15).to_bytes())

    def test_another_schema_is_not_read(self):
        with pytest.raises(BadMessage, match="schema 99"):
            PoseFeatures.from_bytes(packed(schema=99, kind="pose"))

    def test_a_file_without_one_of_its_arrays_is_a_bad_message(self):
        with pytest.raises(BadMessage, match="rate_hz"):
            PoseFeatures.from_bytes(packed(schema=SCHEMA, kind="pose"))

    def test_arrays_that_do_not_belong_together_are_a_bad_message(self):
        crooked = packed(
            schema=SCHEMA, kind="pose", rate_hz=15, first_sample=0,
            image=np.zeros((3, 33, 2)), world=np.zeros((2, 33, 3)), visibility=np.zeros((3, 33)),
        )  # fmt: skip
        with pytest.raises(BadMessage, match="do not belong together"):
            PoseFeatures.from_bytes(crooked)

    def test_pickled_objects_are_not_loaded(self):
        with pytest.raises(BadMessage):
            PoseFeatures.from_bytes(packed(schema=SCHEMA, kind="pose", image=np.array([{}], dtype=object)))


def packed(**values) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **values)
    return buffer.getvalue()


class TestDetected:
    def test_somebody_is_seen_where_a_landmark_has_a_place_and_is_visible(self):
        pose = masked(standing(4), [1, 2])
        assert pose.detected.tolist() == [True, False, False, True]
        assert pose.detected_share == 0.5

    def test_a_place_of_one_landmark_and_the_visibility_of_another_are_nobody(self):
        pose = masked(standing(1), [0])
        pose.image[0, 3] = 0.5
        pose.visibility[0, 4] = 1.0
        assert not pose.detected.any()

    def test_nobody_is_seen_in_no_samples(self):
        assert standing(0).detected_share == 0.0

    def test_arrays_of_other_shapes_are_refused(self):
        with pytest.raises(ValueError, match="do not belong together"):
            replace(standing(3), visibility=np.ones((3, 17)))


class TestBones:
    def test_the_bones_are_mediapipes_own(self):
        vision = pytest.importorskip("mediapipe").tasks.vision
        theirs = [(bone.start, bone.end) for bone in vision.PoseLandmarksConnections.POSE_LANDMARKS]
        assert list(BLAZEPOSE_BONES) == theirs
        assert len(theirs) == 35

    def test_coco_keypoints_are_the_landmarks_of_the_same_name(self):
        landmark = pytest.importorskip("mediapipe").tasks.vision.PoseLandmark
        names = [
            "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder",
            "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee",
            "right_knee", "left_ankle", "right_ankle",
        ]  # fmt: skip
        assert list(COCO_TO_BLAZEPOSE) == [landmark[name.upper()].value for name in names]

    @UNHURRIED
    @given(poses())
    def test_a_bone_is_a_unit_vector_or_unseen(self, pose):
        length = np.linalg.norm(pose.bones().astype(float), axis=2)
        assert length.shape == (len(pose), 35)
        assert np.allclose(length[np.isfinite(length)], 1, atol=1e-4)

    def test_a_bone_points_from_its_first_landmark_to_its_second(self):
        pose = standing(1)
        pose.image[0, 11], pose.image[0, 13] = (0.5, 0.2), (0.5, 0.4)
        np.testing.assert_allclose(pose.bones()[0, BLAZEPOSE_BONES.index((11, 13))], (0, 1), atol=1e-6)

    def test_bones_with_an_unseen_end_or_without_length_are_nan(self):
        pose = standing(1)
        pose.image[0, 11] = np.nan
        pose.image[0, 25] = pose.image[0, 27]
        unseen = np.isnan(pose.bones()[0]).all(axis=1)
        assert [bone for bone, nan in zip(BLAZEPOSE_BONES, unseen, strict=True) if nan] == [
            bone for bone in BLAZEPOSE_BONES if 11 in bone or bone == (25, 27)
        ]


class TestJoined:
    @UNHURRIED
    @given(poses(), st.data())
    def test_a_pose_cut_anywhere_joins_to_itself_in_any_order(self, pose, data):
        cuts = sorted(data.draw(st.lists(st.integers(0, len(pose)), max_size=4, unique=True)))
        edges = [edge for edge, _ in itertools.groupby([0, *cuts, len(pose)])]
        parts = [part_of(pose, a, b) for a, b in itertools.pairwise(edges)] or [pose]
        assert_same(PoseFeatures.joined(data.draw(st.permutations(parts))), pose)

    def test_a_missing_part_is_noticed(self):
        pose = standing(9)
        with pytest.raises(ValueError, match="ends at sample 3, the next starts at 6"):
            PoseFeatures.joined([part_of(pose, 0, 3), part_of(pose, 6, 9)])

    def test_parts_that_overlap_are_noticed(self):
        pose = standing(9)
        with pytest.raises(ValueError, match="ends at sample 5"):
            PoseFeatures.joined([part_of(pose, 0, 5), part_of(pose, 4, 9)])

    def test_parts_of_different_rates_are_noticed(self):
        pose = standing(9)
        with pytest.raises(ValueError):
            PoseFeatures.joined([part_of(pose, 0, 5), replace(part_of(pose, 5, 9), rate_hz=30.0)])

    def test_no_parts_are_no_pose(self):
        with pytest.raises(ValueError, match="no parts"):
            PoseFeatures.joined([])


def part_of(pose: PoseFeatures, start: int, stop: int) -> PoseFeatures:
    return replace(
        pose, image=pose.image[start:stop], world=pose.world[start:stop], visibility=pose.visibility[start:stop],
        first_sample=pose.first_sample + start,
    )  # fmt: skip


class TestSmoothing:
    @UNHURRIED
    @given(poses(), st.floats(0.0, 0.2))
    def test_what_is_masked_stays_masked_and_what_is_seen_stays_seen(self, pose, sigma_s):
        smooth = pose.smoothed(sigma_s)
        seen = np.isfinite(pose.image).all(axis=2)
        np.testing.assert_array_equal(np.isfinite(smooth.image).all(axis=2), seen)
        np.testing.assert_array_equal(smooth.visibility, pose.visibility)
        np.testing.assert_array_equal(smooth.detected, pose.detected)
        assert smooth.image.dtype == pose.image.dtype

    @UNHURRIED
    @given(st.integers(0, 30), RATES_HZ, st.sets(st.integers(0, 29)))
    def test_a_straight_movement_is_kept_whatever_the_gaps(self, count, rate_hz, gaps):
        still = standing(count, rate_hz)
        line = still.image[:1] + np.arange(count, dtype=np.float32)[:, None, None] * np.float32(0.01)
        pose = masked(replace(still, image=line.reshape(still.image.shape)), [gap for gap in gaps if gap < count])
        np.testing.assert_allclose(pose.smoothed().image, pose.image, atol=1e-5)

    def test_what_lies_behind_a_gap_has_no_influence(self):
        pose = masked(standing(40), [20])
        moved = replace(pose, image=np.where(np.arange(40)[:, None, None] > 20, pose.image + 5, pose.image))
        np.testing.assert_array_equal(moved.smoothed().image[:20], pose.smoothed().image[:20])

    def test_the_end_of_one_part_is_not_smoothed_with_the_start_of_another_until_they_are_joined(self):
        pose = standing(40)
        joined = PoseFeatures.joined([part_of(pose, 0, 20), part_of(pose, 20, 40)])
        np.testing.assert_array_equal(joined.smoothed().image, pose.smoothed().image)

    @pytest.mark.parametrize("rate_hz", [15.0, 30.0, 60.0])
    def test_a_movement_on_the_beat_is_kept_and_not_delayed_and_jitter_is_not(self, rate_hz):
        times_s = np.arange(0, 8, 1 / rate_hz)
        assert gain(times_s, rate_hz, 2.0) == pytest.approx(1, abs=0.05)
        assert abs(gain(times_s, rate_hz, 7.0)) < 0.25

    def test_noise_is_less_afterwards(self):
        pose = standing(200)
        rough, smooth = (np.abs(np.diff(p.image, n=2, axis=0)).mean() for p in (pose, pose.smoothed()))
        assert smooth < 0.5 * rough

    def test_time_reversed_is_smoothed_the_same(self):
        pose = masked(standing(30), [4, 17, 18])
        there, back = pose.smoothed(), backwards(backwards(pose).smoothed())
        np.testing.assert_allclose(there.image, back.image, atol=1e-6)


def backwards(pose: PoseFeatures) -> PoseFeatures:
    return replace(pose, image=pose.image[::-1], world=pose.world[::-1], visibility=pose.visibility[::-1])


def gain(times_s, rate_hz: float, frequency_hz: float) -> complex:
    """What is left of a swing at this frequency: complex, so that a delay shows."""
    swing = np.exp(2j * np.pi * frequency_hz * times_s)
    pose = standing(len(times_s), rate_hz)
    image = np.broadcast_to(swing.real[:, None, None], pose.image.shape).astype(np.float32)
    left = replace(pose, image=image).smoothed().image[:, 0, 0]
    inside = slice(int(rate_hz), -int(rate_hz))
    return 2 * np.mean(left[inside] * np.conj(swing[inside]))


class TestForeignLandmarks:
    def test_coco_keypoints_lie_at_their_landmarks_and_the_rest_is_masked(self):
        points, confidence = np.random.default_rng(0).random((5, 17, 2)), np.full((5, 17), 0.8)
        pose = PoseFeatures.from_landmarks(points, confidence, 25, "coco17")
        np.testing.assert_allclose(pose.image[:, list(COCO_TO_BLAZEPOSE)], points, rtol=1e-6)
        rest = [i for i in range(BLAZEPOSE_LANDMARKS) if i not in COCO_TO_BLAZEPOSE]
        assert np.isnan(pose.image[:, rest]).all()
        assert (pose.visibility[:, rest] == 0).all()
        assert np.isnan(pose.world).all()
        assert pose.detected.all()

    def test_depth_is_left_out(self):
        points = np.random.default_rng(0).random((2, 33, 3))
        pose = PoseFeatures.from_landmarks(points, np.ones((2, 33)), 25)
        np.testing.assert_allclose(pose.image, points[..., :2], rtol=1e-6)

    def test_points_of_no_confidence_or_no_place_are_unseen(self):
        points, confidence = np.ones((2, 17, 2)), np.ones((2, 17))
        confidence[0] = 0
        points[1] = np.nan
        pose = PoseFeatures.from_landmarks(points, confidence, 25, "coco17")
        assert not pose.detected.any()
        assert np.isnan(pose.image).all()

    @pytest.mark.parametrize(
        ("points", "confidence", "layout"),
        [((2, 17, 2), (2, 17), "blazepose33"), ((2, 33, 4), (2, 33), "blazepose33"), ((2, 17, 2), (3, 17), "coco17"),
         ((2, 17, 2), (2, 17), "openpose25")],
    )  # fmt: skip
    def test_shapes_and_layouts_that_do_not_fit_are_refused(self, points, confidence, layout):
        with pytest.raises(ValueError, match=layout):
            PoseFeatures.from_landmarks(np.ones(points), np.ones(confidence), 25, layout)
