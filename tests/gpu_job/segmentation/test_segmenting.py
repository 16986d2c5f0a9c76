"""Dances are cut where their moves end; and every result keeps its promises, whatever the input."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_job.segmentation import (
    BoundaryCurve,
    Method,
    Name,
    Options,
    Performance,
    Segmentation,
    method,
    segment,
    segment_batch,
)
from gpu_job.segmentation.scoring import f_measure
from shared.errors import NobodyFound
from shared.features import AudioFeatures, PoseFeatures
from shared.timeline import BeatGrid, IntArray
from shared.wishes import MethodName
from tests.gpu_job.segmentation.truth import NOVELTY, cut, danced, heard, unseen

TOLERANCE_S = 0.25


def f_of(found: Segmentation, true_s: list[float]) -> float:
    return f_measure(found.boundaries_s, true_s, TOLERANCE_S)


@pytest.mark.parametrize(("seed", "tempo_bpm", "rate_hz"), [
    (1, 108.0, 15.0), (2, 118.0, 30.0), (3, 126.0, 60.0), (4, 135.0, 24.0), (5, 150.0, 15.0),
])  # fmt: skip
def test_the_moves_of_a_dance_are_found(seed: int, tempo_bpm: float, rate_hz: float) -> None:
    truth = danced(seed, tempo_bpm=tempo_bpm, rate_hz=rate_hz)
    assert f_of(cut(truth.pose, truth.audio), truth.boundaries_s) >= 0.9


@pytest.mark.parametrize("jitter", [0.01, 0.02])
def test_they_are_found_through_the_jitter_and_the_misses_of_an_estimator(jitter: float) -> None:
    truths = [danced(seed, jitter=jitter, missed=0.1) for seed in range(6)]
    batch = [Performance(truth.pose.smoothed(), truth.audio) for truth in truths]
    found = segment_batch(batch, [NOVELTY] * len(batch))
    assert np.mean([f_of(one, truth.boundaries_s) for one, truth in zip(found, truths, strict=True)]) >= 0.9


@pytest.mark.parametrize("off", [1, 2, 3])
def test_they_are_found_where_the_bars_were_heard_some_beats_off(off: int) -> None:
    truth = danced(2, tempo_bpm=126.0)
    beats = truth.audio.beats
    shifted = replace(truth.audio, beats=BeatGrid(beats.beats_s, (beats.positions - 1 + off) % 4 + 1))
    assert f_of(cut(truth.pose, shifted), truth.boundaries_s) >= 0.9


def test_they_are_found_on_the_motion_alone_where_there_is_no_sound() -> None:
    truths = [danced(seed, rate_hz=30.0) for seed in range(6)]
    found = [cut(truth.pose, AudioFeatures.silent(60.0, 30.0)) for truth in truths]
    assert np.mean([f_of(one, truth.boundaries_s) for one, truth in zip(found, truths, strict=True)]) >= 0.7


def test_the_dance_starts_and_ends_where_the_waiting_does() -> None:
    truth = danced(2)
    found = cut(truth.pose, truth.audio)
    assert found.moves[0].start_s == pytest.approx(truth.dance.moves[0].start_s, abs=TOLERANCE_S)
    assert found.moves[-1].end_s == pytest.approx(truth.dance.moves[-1].end_s, abs=TOLERANCE_S)


def test_moves_last_the_counts_that_were_danced() -> None:
    truth = danced(1, tempo_bpm=120.0)
    found = {round(move.start_s, 1): move.counts for move in cut(truth.pose, truth.audio).moves}
    true = {round(move.start_s, 1): move.counts for move in truth.dance.moves}
    assert sum(found.get(start_s) == counts for start_s, counts in true.items()) >= 0.8 * len(true)


def test_repeated_moves_have_the_same_letter() -> None:
    truth = danced(1)
    found = {round(move.start_s, 1): move.letter for move in cut(truth.pose, truth.audio).moves}
    pairs = [(found[round(m.start_s, 1)], m.name) for m in truth.dance.moves if round(m.start_s, 1) in found]
    agree = [(a[0] == b[0]) == (a[1] == b[1]) for a, b in itertools.combinations(pairs, 2)]
    assert np.mean(agree) >= 0.95


def test_curves_are_on_the_clock_of_the_pose() -> None:
    truth = danced(1, duration_s=20, rate_hz=24.0)
    curves = cut(truth.pose, truth.audio).curves
    assert curves.time_s == pytest.approx(np.arange(480) / 24)
    for curve in (curves.boundary_probability, curves.novelty, curves.onset):
        assert curve.shape == (480,)
        assert np.isfinite(curve).all()
    assert 0 <= curves.boundary_probability.min() <= curves.boundary_probability.max() <= 1


def test_a_move_starts_at_a_sample_as_probable_as_it_says() -> None:
    found = cut(*(lambda truth: (truth.pose, truth.audio))(danced(1)))
    for move in found.moves[1:]:
        sample = round(move.start_s * 15)
        assert found.curves.boundary_probability[sample] == pytest.approx(move.probability, abs=1e-6)


def test_onsets_stand_at_their_samples() -> None:
    truth = danced(1, duration_s=10)
    onset = np.zeros((600, 3), np.float32)
    onset[120] = onset[240] / 2 + 1
    onset[240] = 0.5
    curve = cut(truth.pose, replace(truth.audio, onset=onset, onset_rate_hz=60.0)).curves.onset
    assert curve[30] == 1.0
    assert curve[60] == 0.5
    assert np.count_nonzero(curve) == 2


# --- degenerate input


def test_nobody_in_sight_is_an_error() -> None:
    truth = danced(1, duration_s=5)
    with pytest.raises(NobodyFound):
        cut(unseen(truth.pose, 0, 75), truth.audio)


def test_an_empty_pose_is_an_error() -> None:
    nothing = PoseFeatures(15.0, np.zeros((0, 33, 2)), np.zeros((0, 33, 3)), np.zeros((0, 33)))
    with pytest.raises(NobodyFound):
        cut(nothing, AudioFeatures.silent(0.0, 15.0))


@pytest.mark.parametrize("samples", [1, 2, 5, 20])
def test_a_very_short_video_is_one_move_no_longer_than_itself(samples: int) -> None:
    truth = danced(1, duration_s=10)
    short = replace(truth.pose, **{name: getattr(truth.pose, name)[75 : 75 + samples] for name in
                                   ("image", "world", "visibility")})  # fmt: skip
    found = cut(short, truth.audio)
    (move,) = found.moves
    assert 0 <= move.start_s < move.end_s <= samples / 15 + 0.1
    assert [notice.code for notice in found.warnings] == ["ONE_MOVE"]


def test_without_beats_there_are_no_counts_and_a_word_about_it() -> None:
    found = cut(danced(1).pose, AudioFeatures.silent(60.0, 15.0))
    assert all(move.counts is None for move in found.moves)
    assert [notice.code for notice in found.warnings] == ["NO_BEAT"]
    assert found.tempo_bpm is None
    assert len(found.moves) > 1


def test_somebody_who_stands_still_makes_one_move() -> None:
    points = np.repeat(np.random.default_rng(0).random((1, 33, 2)), 600, axis=0)
    pose = PoseFeatures.from_landmarks(points, np.ones((600, 33)), 15.0)
    assert len(cut(pose, heard(BeatGrid.regular(0.5, 40.0), 120.0, 40.0)).moves) == 1


def test_one_move_repeated_for_a_minute_is_hardly_cut() -> None:
    times_s = np.arange(900) / 15
    points = np.random.default_rng(0).random((1, 33, 2)) + 0.05 * np.sin(
        np.pi * times_s[:, None, None] * np.array([1, 2]) + np.arange(33)[:, None]
    )
    pose = PoseFeatures.from_landmarks(points, np.ones((900, 33)), 15.0)
    found = cut(pose, heard(BeatGrid.regular(0.5, 60.0), 120.0, 60.0))
    assert len(found.moves) <= 3


def test_where_the_dancer_is_out_of_sight_nothing_is_made_up() -> None:
    truth = danced(3, tempo_bpm=120.0)
    found = cut(unseen(truth.pose, 300, 480), truth.audio)
    (gap,) = [move for move in found.moves if move.label == "unseen"]
    assert (gap.start_s, gap.end_s) == (pytest.approx(20, abs=0.3), pytest.approx(32, abs=0.3))
    assert gap.confidence == 1.0


def test_legs_that_are_never_in_the_picture_do_not_stop_us() -> None:
    truth = danced(1)
    visibility, image = truth.pose.visibility.copy(), truth.pose.image.copy()
    visibility[:, 25:], image[:, 25:] = 0, np.nan
    found = cut(replace(truth.pose, image=image, visibility=visibility), truth.audio)
    assert f_of(found, truth.boundaries_s) >= 0.8


# --- promises, for any input

RATES_HZ = (15.0, 24.0, 30.0, 60.0)


@st.composite
def performances(draw: st.DrawFn) -> Performance:
    """Somebody or something that moves, is lost and found, to beats of any kind or none."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    samples, rate_hz = draw(st.integers(1, 400)), draw(st.sampled_from(RATES_HZ))
    smooth = np.cumsum(rng.normal(0, 0.02, (samples, 33, 2)), axis=0) + rng.random((33, 2))
    seen = (rng.random((samples, 33)) < draw(st.sampled_from([0.3, 0.9, 1.0]))) & (
        rng.random((samples, 1)) < draw(st.sampled_from([0.5, 1.0]))
    )
    seen[rng.integers(samples)] = True
    kind = draw(st.sampled_from(["none", "one", "two", "regular", "irregular"]))
    period_s = draw(st.floats(0.3, 0.7))
    regular = BeatGrid.regular(period_s, samples / rate_hz + 2, draw(st.floats(0, 1)))
    rough_s = regular.beats_s + rng.uniform(-0.2, 0.2, len(regular)) * period_s
    beats = {
        "none": BeatGrid.none(),
        "one": BeatGrid(regular.beats_s[:1], regular.positions[:1]),
        "two": BeatGrid(regular.beats_s[:2], regular.positions[:2]),
        "regular": regular,
        "irregular": BeatGrid(rough_s, regular.positions),
    }[kind]
    audio = heard(beats, 60 / period_s if len(beats) > 1 else None, samples / rate_hz)
    return Performance(PoseFeatures.from_landmarks(smooth, seen, rate_hz), audio)


wishes = st.builds(
    Options,
    min_probability=st.sampled_from([0.0, 0.2, 0.5, 0.9, 1.0]),
    min_counts=st.integers(1, 9),
    method=st.just(MethodName.NOVELTY),
)


@settings(max_examples=60, deadline=None)
@given(performances(), wishes)
def test_every_result_keeps_its_promises(performance: Performance, options: Options) -> None:
    (found,) = segment_batch([performance], [options])
    moves, grid = found.moves, performance.grid
    assert moves
    assert (moves[0].start_s, moves[-1].end_s) == (grid.times_s[0], grid.times_s[-1])
    assert all(one.end_s == following.start_s for one, following in itertools.pairwise(moves))
    assert all(move.start_s < move.end_s for move in moves)
    assert all(np.abs(grid.times_s - move.start_s).min() == 0 for move in moves)
    assert all(move.probability >= options.min_probability for move in moves[1:])
    assert all(0 <= value <= 1 for move in moves for value in (move.probability, move.confidence))
    assert all((move.counts is None) != grid.counted for move in moves)
    if grid.counted and len(moves) > 1:
        assert min(move.counts or 0 for move in moves) >= options.min_counts


@settings(max_examples=20, deadline=None)
@given(st.lists(performances(), min_size=1, max_size=4), wishes)
def test_a_dance_comes_out_of_a_batch_as_it_does_alone(batch: list[Performance], options: Options) -> None:
    together = segment_batch(batch, [options] * len(batch))
    for performance, one in zip(batch, together, strict=True):
        (alone,) = segment_batch([performance], [options])
        assert one.moves == alone.moves
        assert np.array_equal(one.curves.boundary_probability, alone.curves.boundary_probability)
        assert np.array_equal(one.curves.novelty, alone.curves.novelty)


def test_an_empty_batch_is_no_work() -> None:
    assert segment_batch([]) == []


@dataclass(frozen=True, slots=True)
class EveryBar:
    """A boundary model that knows nothing but the bars."""

    name: str = "every-bar"

    def probabilities(self, batch: Sequence[Performance]) -> list[BoundaryCurve]:
        return [BoundaryCurve(np.where(one.grid.positions == 1, 0.9, 0.1), np.zeros(len(one.grid))) for one in batch]


def test_another_model_takes_the_place_of_this_one() -> None:
    truth = danced(1, tempo_bpm=120.0)
    found = segment(truth.pose, truth.audio, methods=lambda _: Method("every-bar", EveryBar()))
    assert found.method == "every-bar"
    assert found.boundaries_s == pytest.approx(truth.audio.beats.downbeats_s[1 : len(found.moves)])


@dataclass(frozen=True, slots=True)
class EverySecond:
    """A namer that is sure of the first move, and of every second from there on."""

    def names(self, _performance: Performance, edges: IntArray) -> list[tuple[Name, ...]]:
        return [(Name("lady_turn", share), Name("basic", 0.05)) for share in np.resize([0.9, 0.4], len(edges) - 1)]

    def told(self, names: tuple[Name, ...]) -> Name:
        return names[0] if names[0].confidence > 0.5 else Name("unknown", 0.6)


def both(name: MethodName) -> Method:
    """A network that knows nothing but bars, beside the real other method."""
    return Method("network-0", EveryBar(), EverySecond()) if name is MethodName.NETWORK else method(name)


def test_each_job_of_a_batch_is_cut_by_its_own_method() -> None:
    truths = [danced(seed, tempo_bpm=120.0, duration_s=20.0) for seed in range(4)]
    batch = [Performance(truth.pose, truth.audio) for truth in truths]
    mixed = [Options(method=name) for name in (MethodName.NETWORK, MethodName.NOVELTY) * 2]
    together = segment_batch(batch, mixed, both)
    assert [one.method for one in together] == ["network-0", "novelty-1"] * 2
    for performance, wish, one in zip(batch, mixed, together, strict=True):
        (alone,) = segment_batch([performance], [wish], both)
        assert one.moves == alone.moves


def test_as_many_wishes_as_dances_are_asked_for() -> None:
    truth = danced(1, duration_s=5.0)
    with pytest.raises(ValueError, match="shorter"):
        segment_batch([Performance(truth.pose, truth.audio)] * 2, [NOVELTY])


def test_a_move_is_called_what_the_namer_is_sure_of_and_otherwise_unknown() -> None:
    truth = danced(1, tempo_bpm=120.0)
    found = segment(truth.pose, truth.audio, Options(method=MethodName.NETWORK), both)
    sure, unsure = found.moves[::2], found.moves[1::2]
    assert {(move.label, move.confidence, move.title) for move in sure} == {("lady_turn", 0.9, "lady turn")}
    assert all((move.label, move.confidence, move.title) == ("unknown", 0.0, f"move {move.letter}") for move in unsure)
    assert {move.names for move in unsure} == {(Name("lady_turn", 0.4), Name("basic", 0.05))}
    assert all(move.letter for move in found.moves)


def test_without_a_network_no_move_has_a_name() -> None:
    truth = danced(1, duration_s=20.0)
    moves = cut(truth.pose, truth.audio).moves
    assert {(move.label, move.confidence, move.names) for move in moves} == {("unknown", 0.0, ())}


def test_each_job_has_its_own_wishes() -> None:
    truth = danced(1)
    performance = Performance(truth.pose, truth.audio)
    many, few = segment_batch([performance] * 2, [replace(NOVELTY, min_counts=counts) for counts in (2, 16)])
    assert len(many.moves) > len(few.moves)


def test_size_place_and_picture_of_the_dancer_do_not_matter() -> None:
    truth = danced(1)
    moved = replace(truth.pose, image=truth.pose.image * 0.3 + np.float32(0.2))
    a, b = cut(truth.pose, truth.audio), cut(moved, truth.audio)
    assert [move.start_s for move in a.moves] == [move.start_s for move in b.moves]


@pytest.mark.parametrize("jitter", [0.0, 0.004])
@pytest.mark.parametrize("rate_hz", [15, 30])
def test_who_stands_still_makes_one_move(rate_hz: int, jitter: float) -> None:
    standing = danced(1).pose.image[300]
    points = standing + np.random.default_rng(1).normal(0, 1, (20 * rate_hz, *standing.shape)) * jitter
    pose = PoseFeatures.from_landmarks(points, np.ones(points.shape[:2]), rate_hz)
    assert len(segment(pose, AudioFeatures.silent(20.0, rate_hz)).moves) == 1
    assert len(segment(pose, heard(BeatGrid.regular(0.5, 20.0), 120.0, 20.0)).moves) == 1
