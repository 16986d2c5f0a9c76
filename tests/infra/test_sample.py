"""The synthesised sample: what it says is true must be heard and seen in it."""

import itertools
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.local.sample import skeleton
from infra.local.sample.dancer import Camera, Dance, Step, dance
from infra.local.sample.drawing import Painter
from infra.local.sample.moves import VOCABULARY
from infra.local.sample.song import PEAK, SECTIONS, bachata
from infra.local.sample.video import write_sample

MOVES = {move.name: move for move in VOCABULARY}
LEFT_HIP, RIGHT_HIP, LEFT_KNEE, LEFT_ANKLE, RIGHT_ANKLE = 23, 24, 25, 27, 28


def only(name, counts=8, aspect=16 / 9):
    """A dance of one move, whose counts 1 … 8 are the song's beats 0 … 7."""
    song = bachata(12, sample_rate_hz=8000)
    return song, Dance(song.beats, (Step(MOVES[name], 0, counts),), Camera(aspect))


def strength(song, time_s, low_hz, high_hz, length_s=0.06):
    """RMS between two frequencies just after a time."""
    start = round(time_s * song.sample_rate_hz)
    piece = song.samples[start : start + round(length_s * song.sample_rate_hz)]
    spectrum = np.abs(np.fft.rfft(piece * np.hanning(len(piece))))
    hz = np.fft.rfftfreq(len(piece), 1 / song.sample_rate_hz)
    return float(np.sqrt((spectrum[(hz >= low_hz) & (hz < high_hz)] ** 2).sum()))


class TestSong:
    def test_beats_are_as_far_apart_as_the_tempo_says(self):
        song = bachata(20, 120, first_beat_s=0.25)
        np.testing.assert_allclose(song.beats.beats_s[:3], [0.25, 0.75, 1.25])
        assert len(song.beats) == 40
        assert song.beats.positions[:6].tolist() == [1, 2, 3, 4, 1, 2]

    @pytest.mark.parametrize("drift", [-0.06, 0.0, 0.06])
    def test_a_drifting_tempo_changes_by_the_drift_from_end_to_end(self, drift):
        song = bachata(60, 130, drift=drift)
        tempo_bpm = 60 / np.diff(song.beats.beats_s)
        assert (tempo_bpm[-1] - tempo_bpm[0]) / 130 == pytest.approx(drift, abs=0.002)
        assert np.median(tempo_bpm) == pytest.approx(130, rel=0.002)

    def test_every_beat_is_heard_within_three_milliseconds(self):
        song = bachata(30, 127, drift=0.03)
        loud = np.convolve(np.diff(song.samples, 2) ** 2, np.ones(44) / 44, "same")  # highs, over a millisecond
        for beat_s in song.beats.beats_s[:-1]:
            first = round((beat_s - 0.03) * song.sample_rate_hz)
            window = loud[first : first + round(0.06 * song.sample_rate_hz)]
            onset_s = (first + np.argmax(window > 0.2 * window.max())) / song.sample_rate_hz
            assert onset_s == pytest.approx(beat_s, abs=0.003)

    def test_the_bass_is_long_on_1_and_rests_on_2(self):
        song = bachata(20, 120)
        bars = song.beats.downbeats_s[3:8]  # of the verse; a beat lasts half a second
        on = {
            beat: np.mean([strength(song, bar + beat / 2, 30, 100, 0.2) for bar in bars]) for beat in (0, 1, 1.5, 2, 3)
        }
        assert all(on[beat] > 5 * on[1] for beat in (0, 1.5, 2, 3))

    def test_the_low_bongo_is_on_4(self):
        song = bachata(20, 120, sections=[("intro", 64)])  # no bass that would hide it
        bars = song.beats.downbeats_s[:8]
        on = [np.mean([strength(song, bar + beat / 2, 195, 225, 0.2) for bar in bars]) for beat in range(4)]
        assert np.argmax(on) == 3

    def test_the_guira_has_eight_strokes_in_the_verse_and_four_in_the_chorus(self):
        song = bachata(40, 120, sections=[("verse", 32), ("chorus", 32)])
        for section, ratio in zip(song.sections[:2], (0.6, 0.0), strict=True):
            times = [time for time in song.beats.beats_s if time in section.segment][:28]
            on, between = (
                np.mean([strength(song, time + shift, 9000, 20000) for time in times]) for shift in (0, 0.25)
            )
            assert between / on == pytest.approx(ratio, abs=0.12)

    def test_sections_follow_the_plan_and_leave_no_gap(self):
        song = bachata(60, 126)
        assert [section.name for section in song.sections] == ["intro", "verse", "chorus", "mambo", "verse"]
        assert [song.beats.counts_between(section.segment) for section in song.sections[:4]] == pytest.approx(
            [counts for _, counts in SECTIONS]
        )
        assert all(a.segment.end_s == b.segment.start_s for a, b in itertools.pairwise(song.sections))
        assert song.sections[-1].segment.end_s == song.duration_s == 60

    def test_a_seed_decides_every_sample(self):
        assert np.array_equal(bachata(5, seed=3).samples, bachata(5, seed=3).samples)
        assert not np.array_equal(bachata(5, seed=3).samples, bachata(5, seed=4).samples)

    @settings(max_examples=15, deadline=None)
    @given(st.floats(0, 15), st.floats(90, 180), st.sampled_from([8000, 22050, 48000]), st.floats(-0.1, 0.1))
    def test_any_song_is_finite_and_never_clips(self, duration_s, tempo_bpm, rate_hz, drift):
        song = bachata(duration_s, tempo_bpm, sample_rate_hz=rate_hz, drift=drift)
        assert song.samples.dtype == np.float32
        assert np.abs(song.samples).max(initial=0) <= PEAK + 1e-6
        assert np.all(song.beats.beats_s < max(duration_s, 0.5 + 1e-9))

    @pytest.mark.parametrize(
        "wrong", [{"tempo_bpm": 0}, {"drift": 2}, {"sections": [("polka", 8)]}, {"sections": [("verse", 0)]}]
    )
    def test_a_song_that_cannot_be_is_refused(self, wrong):
        with pytest.raises(ValueError):
            bachata(5, **wrong)


class TestDance:
    @pytest.mark.parametrize("seed", range(6))
    def test_moves_tile_the_song_on_its_counts(self, seed):
        song = bachata(40, 118 + 3 * seed, sample_rate_hz=8000)
        moves = dance(song, seed).moves
        assert moves[0].start_s == song.beats.beats_s[0]
        assert all(a.end_s == b.start_s and a.name != b.name for a, b in itertools.pairwise(moves))
        for move in moves:
            assert move.counts in MOVES[move.name].counts
            assert song.beats.counts_between(move.segment) == pytest.approx(move.counts)
            assert move.start_s in song.beats.downbeats_s
        assert 0 <= len(song.beats) - 1 - sum(move.counts for move in moves) < 4

    def test_half_a_minute_shows_eight_moves_of_several_lengths(self):
        moves = dance(bachata(32, sample_rate_hz=8000)).moves
        assert len({move.name for move in moves}) >= 8
        assert len({move.counts for move in moves}) >= 2

    def test_a_seed_decides_the_dance(self):
        song = bachata(32, sample_rate_hz=8000)
        assert dance(song, 5).moves == dance(song, 5).moves
        assert len({dance(song, seed).moves for seed in range(8)}) > 6

    def test_a_song_too_short_for_a_move_is_waited_through(self):
        standing = dance(bachata(1.5, sample_rate_hz=8000))
        assert standing.moves == ()
        image = standing.pose(np.array([0.0, 0.7, 1.4])).image
        assert np.ptp(image, axis=0).max() < 0.01

    @pytest.mark.parametrize("seed", range(4))
    def test_the_pose_never_jumps(self, seed):
        dancer = dance(bachata(32, 130, sample_rate_hz=8000), seed)
        rate_hz = 960
        joints = dancer.figure(np.arange(0, 32, 1 / rate_hz)).joints
        speed = np.linalg.norm(np.diff(joints, axis=0), axis=2) * rate_hz
        assert speed.max() < 12  # metres a second, of a fingertip flung up: a jump of two centimetres would be 19

    @pytest.mark.parametrize("aspect", [16 / 9, 1.0, 9 / 16])
    @pytest.mark.parametrize("seed", range(3))
    def test_the_whole_body_stays_in_the_picture(self, aspect, seed):
        song = bachata(60, sample_rate_hz=8000)
        image = dance(song, seed, aspect=aspect).pose(np.arange(0, 60, 0.05)).image
        assert image.min() > 0.01
        assert image[..., 0].max() < aspect - 0.01
        assert image[..., 1].max() < 0.99

    def test_bones_keep_their_length_and_feet_the_floor(self):
        joints = dance(bachata(60, sample_rate_hz=8000)).figure(np.arange(0, 60, 0.02)).joints
        thigh = np.linalg.norm(joints[:, LEFT_HIP] - joints[:, LEFT_KNEE], axis=1)
        shin = np.linalg.norm(joints[:, LEFT_KNEE] - joints[:, LEFT_ANKLE], axis=1)
        np.testing.assert_allclose(thigh, skeleton.THIGH_M, atol=1e-6)
        np.testing.assert_allclose(shin, skeleton.SHIN_M, atol=1e-6)
        lowest_m = joints[:, [LEFT_ANKLE, RIGHT_ANKLE], 1].min(axis=1)
        np.testing.assert_allclose(lowest_m, skeleton.ANKLE_HEIGHT_M, atol=0.03)

    def test_feet_arrive_on_the_beat(self):
        song, dancer = only("basic")
        for beat, ankle in ((1, RIGHT_ANKLE), (2, LEFT_ANKLE), (4, RIGHT_ANKLE), (5, LEFT_ANKLE)):
            before, on, after = dancer.figure(song.beats.time_of([beat - 0.3, beat, beat + 0.4])).joints[:, ankle]
            assert np.linalg.norm(on - before) > 0.1
            assert np.linalg.norm(after - on) < 0.01

    def test_the_hip_pops_on_the_taps(self):
        song, dancer = only("basic")
        joints = dancer.figure(song.beats.time_of(np.arange(1, 8))).joints
        tilt = joints[:, LEFT_HIP, 1] - joints[:, RIGHT_HIP, 1]
        assert np.abs(tilt[[2, 6]]).min() > 2 * np.abs(tilt[[0, 1, 3, 4, 5]]).max()
        assert tilt[2] * tilt[6] < 0  # right on 4, left on 8

    def test_a_turn_shows_the_back_and_ends_as_it_began(self):
        song, dancer = only("turn", 4)
        front = dancer.figure(song.beats.time_of(np.linspace(0.5, 3.6, 50))).head.front[:, 2]
        assert front.max() > 0.95  # away from the viewer
        assert front[0] < -0.9
        assert front[-1] < -0.9

    def test_world_coordinates_are_those_of_the_schema(self):
        world = dance(bachata(8, sample_rate_hz=8000)).pose(np.array([0.0])).world[0]
        np.testing.assert_allclose(world[[LEFT_HIP, RIGHT_HIP]].mean(axis=0), 0, atol=1e-9)
        assert world[0, 1] < -0.5  # the nose is up: y points down
        assert world[11, 0] > world[12, 0]  # the dancer's left is the picture's right
        assert world[31, 2] < world[29, 2]  # toes are nearer than heels: z points away

    def test_features_are_the_pose_on_a_clock(self):
        dancer = dance(bachata(8, sample_rate_hz=8000))
        features = dancer.features(15, 8)
        assert len(features) == 120
        assert features.detected.all()
        np.testing.assert_allclose(features.image[30], dancer.pose(np.array([2.0])).image[0], atol=1e-6)

    def test_boundaries_stand_out_from_what_happens_inside_moves(self):
        """Bone directions over two beats before and after: the change is largest where a move ends."""
        outstanding = []
        for seed in range(6):
            song = bachata(32, 124, sample_rate_hz=8000)
            dancer = dance(song, seed)
            beats = np.arange(2, song.beats.beat_of(dancer.moves[-1].end_s) - 1, 0.25)
            window = np.linspace(0, 2, 30, endpoint=False)
            before, after = (_mean_bones(dancer, beats, window + shift) for shift in (-2, 0))
            change = np.linalg.norm(after - before, axis=1)
            starts = song.beats.beat_of([move.start_s for move in dancer.moves[1:]])
            distance = np.abs(beats[:, None] - starts).min(axis=1)
            inside = np.quantile(change[distance >= 2], 0.95)
            outstanding += [change[np.argmin(np.abs(beats - start))] > inside for start in starts]
        assert np.mean(outstanding) >= 0.9


def _mean_bones(dancer, beats, window):
    times_s = dancer.beats.time_of((beats[:, None] + window).ravel())
    image = dancer.pose(times_s).image
    limbs = image[:, [13, 14, 15, 16, 25, 26, 27, 28, 11]] - image[:, [11, 12, 13, 14, 23, 24, 25, 26, 12]]
    limbs /= np.linalg.norm(limbs, axis=2, keepdims=True)
    return limbs.reshape(len(beats), len(window), -1).mean(axis=1)


class TestDrawing:
    def test_the_shirt_is_where_the_chest_is(self):
        _, dancer = only("basic")
        times_s = np.arange(0, 5, 0.5)
        pictures = list(Painter.of_size(320, 180).frames(dancer.figure(times_s)))
        chest = dancer.pose(times_s).image[:, [11, 12, 23, 24]].mean(axis=1) * 180
        for picture, (x, y) in zip(pictures, chest, strict=True):
            assert picture.shape == (180, 320, 3)
            blue, green, red = picture[round(y - 6), round(x)].astype(int)
            assert red > blue + 50
            assert red > green + 50

    def test_the_face_is_hidden_while_the_dancer_shows_the_back(self):
        song, dancer = only("turn", 4)
        towards, away = Painter.of_size(640, 360).frames(dancer.figure(song.beats.time_of([-0.4, 1.65])))
        nose = dancer.pose(song.beats.time_of([-0.4, 1.65])).image[:, 0] * 360
        skin, hair = (p[round(y) - 2, round(x)].sum() for p, (x, y) in zip((towards, away), nose, strict=True))
        assert skin > 2 * hair

    def test_the_dancer_moves_before_a_still_stage(self):
        _, dancer = only("shimmy")
        one, other = Painter.of_size(320, 180).frames(dancer.figure(np.array([2.0, 3.2])))
        assert np.array_equal(one[:, :30], other[:, :30])
        assert not np.array_equal(one, other)


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    return write_sample(tmp_path_factory.mktemp("sample") / "dance.mp4", duration_s=8, width=320, height=180)


def decoded_sound(path):
    with av.open(path) as container:
        blocks = list(container.decode(audio=0))
    return blocks[0].time, np.concatenate([block.to_ndarray()[0] for block in blocks])


class TestVideo:
    def test_the_picture_is_h264_with_a_key_frame_every_second(self, sample):
        with av.open(sample.path) as container:
            stream = container.streams.video[0]
            assert (stream.codec_context.name, stream.width, stream.height) == ("h264", 320, 180)
            packets = [packet for packet in container.demux(stream) if packet.size]
        times_s = [float(packet.pts * packet.time_base) for packet in packets]
        np.testing.assert_allclose(times_s, sample.frame_times_s, atol=1e-6)
        keys_s = [time for time, packet in zip(times_s, packets, strict=True) if packet.is_keyframe]
        assert keys_s[0] == 0
        assert max(np.diff(keys_s)) <= 1.0 + 1e-6

    def test_the_index_comes_first(self, sample):
        data = sample.path.read_bytes()
        assert data.index(b"moov") < data.index(b"mdat")

    def test_the_sound_that_comes_back_is_the_song_to_the_millisecond(self, sample):
        start_s, sound = decoded_sound(sample.path)
        rate_hz, song = sample.song.sample_rate_hz, sample.song.samples
        assert start_s == 0
        reach = rate_hz // 20
        piece = slice(2 * rate_hz, 4 * rate_hz)
        lags = np.arange(-reach, reach + 1)
        spectrum = np.fft.rfft(sound[piece], 2 * 2 * rate_hz) * np.conj(np.fft.rfft(song[piece], 2 * 2 * rate_hz))
        match = np.fft.irfft(spectrum)[lags]
        assert abs(lags[np.argmax(match)]) / rate_hz < 0.001
        assert match.max() > 0.9 * (song[piece] ** 2).sum()

    def test_each_picture_shows_its_own_moment(self, sample):
        drawn = np.array(list(_shirt_centres(sample.path)))
        truth = sample.dance.pose(sample.frame_times_s).image[:, [11, 12, 23, 24]].mean(axis=1) * 180
        drawn, truth = drawn - drawn.mean(axis=0), truth - truth.mean(axis=0)
        misfit = [np.abs(np.roll(drawn, shift, axis=0) - truth)[5:-5].mean() for shift in range(-4, 5)]
        assert np.argmin(misfit) == 4

    def test_it_can_be_silent_and_of_another_rate(self, tmp_path):
        sample = write_sample(
            tmp_path / "silent.mp4", duration_s=2, width=128, height=96, frame_rate_hz=30000 / 1001, with_sound=False
        )
        with av.open(sample.path) as container:
            assert not container.streams.audio
            assert container.streams.video[0].average_rate == Fraction(30000, 1001)
            assert sum(1 for _ in container.decode(video=0)) == len(sample.frame_times_s) == 60

    def test_an_odd_size_is_refused_before_anything_is_written(self, tmp_path):
        with pytest.raises(ValueError, match="even"):
            write_sample(tmp_path / "odd.mp4", width=321)
        assert not (tmp_path / "odd.mp4").exists()


def _shirt_centres(path):
    with av.open(path) as container:
        for frame in container.decode(video=0):
            red, green, blue = np.moveaxis(frame.to_ndarray(format="rgb24").astype(int), 2, 0)
            yield np.argwhere((red > green + 60) & (red > blue + 60)).mean(axis=0)[::-1]
