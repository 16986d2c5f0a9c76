"""A couple's features: their codec, their parts, and who is who where the tracks are crossed on purpose."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from shared.couple import COLOURS, Couple
from shared.errors import BadMessage
from shared.features import BLAZEPOSE_LANDMARKS, PoseFeatures
from tests.shared.test_features import UNHURRIED, arrays, assert_same, part_of, poses, standing

RATE_HZ = 15.0
SHIRTS = np.array([[0.9, 0.2, 0.2, 0.1, 0.1, 0.5], [0.2, 0.2, 0.8, 0.4, 0.3, 0.2]], np.float32)


@st.composite
def couples(draw, most: int = 12):
    """Any couple: with holes in either."""
    one = draw(poses(most))
    rows = len(one), BLAZEPOSE_LANDMARKS
    other = replace(one, image=draw(arrays(*rows, 2)), world=draw(arrays(*rows, 3)))
    return Couple(one, other, draw(arrays(len(one), 2, COLOURS, elements=st.floats(0, 1, width=32) | st.just(np.nan))))


def body(x: np.ndarray, height: float = 0.7) -> PoseFeatures:
    """Somebody who stands at ``x`` ``(T,)`` image heights and sways."""
    count = len(x)
    image = np.tile(standing(1).image * [0.1, height] + [0, 0.2], (count, 1, 1))
    for pair, down in (
        ((0, 0), 0.05),
        ((7, 8), 0.05),
        ((11, 12), 0.2),
        ((23, 24), 0.5),
        ((25, 26), 0.75),
        ((27, 28), 1.0),
    ):
        image[:, pair, 1] = 0.9 - height * (1 - down)
    image[:, :, 0] += x[:, None] + 0.01 * np.sin(np.arange(count))[:, None]
    rows = (count, BLAZEPOSE_LANDMARKS)
    return PoseFeatures(RATE_HZ, image.astype(np.float32), np.zeros((*rows, 3), np.float32), np.ones(rows, np.float32))


def crossing(count: int = 150, *, are_alike: bool = False) -> Couple:
    """A tall dancer in red goes from left to right, a short one in blue comes the other way."""
    way = np.linspace(0.4, 1.2, count)
    colours = np.tile(SHIRTS[[0, 0] if are_alike else [0, 1]], (count, 1, 1))
    noise = np.random.default_rng(0).normal(0, 0.05, colours.shape)
    return Couple(body(way, 0.75), body(way[::-1], 0.65), (colours + noise).astype(np.float32))


def seen(couple: Couple, one, other) -> Couple:
    """The couple where each track shows somebody at the samples given, and elsewhere nobody."""
    colours = couple.colours.copy()
    tracks = []
    for track, (pose, shown) in enumerate(((couple.one, one), (couple.other, other))):
        colours[~shown, track] = np.nan
        image, world = (
            np.where(shown[:, None, None], of, np.nan).astype(np.float32) for of in (pose.image, pose.world)
        )
        tracks.append(replace(pose, image=image, world=world, visibility=pose.visibility * shown[:, None]))
    return Couple(*tracks, colours)


def crossed(couple: Couple, swap: np.ndarray) -> Couple:
    """The couple with its tracks exchanged at the samples given."""
    both = np.stack([couple.one.image, couple.other.image])
    both[:, swap] = both[::-1, swap]
    sights = np.stack([couple.one.visibility, couple.other.visibility])
    sights[:, swap] = sights[::-1, swap]
    colours = couple.colours.copy()
    colours[swap] = colours[swap, ::-1]
    one, other = (
        replace(pose, image=image, visibility=visibility)
        for pose, image, visibility in zip((couple.one, couple.other), both, sights, strict=True)
    )
    return Couple(one, other, colours)


def cut(couple: Couple, start: int, stop: int) -> Couple:
    return Couple(part_of(couple.one, start, stop), part_of(couple.other, start, stop), couple.colours[start:stop])


def assert_couple(mine: Couple, theirs: Couple) -> None:
    for name in ("one", "other"):
        assert_same(getattr(mine, name), getattr(theirs, name))
    np.testing.assert_array_equal(mine.colours, theirs.colours)


def runs(*edges: int, count: int = 150) -> np.ndarray:
    """True from the first edge to the second, from the third to the fourth, …"""
    return np.searchsorted(edges, np.arange(count), side="right") % 2 == 1


class TestCodec:
    @UNHURRIED
    @given(couples())
    def test_a_couple_comes_back_as_it_went(self, couple):
        assert_couple(Couple.from_bytes(couple.to_bytes()), couple)

    @UNHURRIED
    @given(st.binary(max_size=200))
    def test_junk_is_a_bad_message(self, junk):
        with pytest.raises(BadMessage):
            Couple.from_bytes(junk)

    def test_one_dancer_is_no_couple_and_a_couple_no_dancer(self):
        with pytest.raises(BadMessage, match="expected couple features"):
            Couple.from_bytes(standing(2).to_bytes())
        with pytest.raises(BadMessage, match="expected pose features"):
            PoseFeatures.from_bytes(crossing(2).to_bytes())

    @pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.99])
    def test_a_file_cut_off_is_a_bad_message(self, part):
        whole = crossing(9).to_bytes()
        with pytest.raises(BadMessage):
            Couple.from_bytes(whole[: int(part * len(whole))])

    def test_tracks_of_two_clocks_are_no_couple(self):
        pose = standing(3)
        for other in (standing(4), replace(pose, rate_hz=30.0), replace(pose, first_sample=1)):
            with pytest.raises(ValueError, match="do not belong together"):
                Couple(pose, other, np.zeros((3, 2, COLOURS)))
        with pytest.raises(ValueError, match="do not belong together"):
            Couple(pose, pose, np.zeros((3, COLOURS)))


class TestJoined:
    def test_parts_in_any_order_are_the_whole(self):
        whole = crossing(9)
        assert_couple(Couple.joined([cut(whole, 4, 9), cut(whole, 0, 4)]), whole)

    def test_a_missing_part_is_noticed(self):
        with pytest.raises(ValueError, match="ends at sample 3, the next starts at 6"):
            Couple.joined([cut(crossing(9), 0, 3), cut(crossing(9), 6, 9)])


class TestSettled:
    """The tall one is in the track ``one`` of :func:`crossing`."""

    @pytest.mark.parametrize(
        "swap", [runs(), runs(0), runs(40, 90), runs(75, 150), runs(0, 20, 21, 22, 60, 75, 140, 150), runs(149)]
    )
    @pytest.mark.parametrize("are_alike", [False, True])
    def test_tracks_that_were_crossed_are_put_right(self, swap, are_alike):
        truth = crossing(are_alike=are_alike)
        settled = crossed(truth, swap).settled()
        np.testing.assert_array_equal(settled.lead.image, truth.one.image)
        np.testing.assert_array_equal(settled.follow.image, truth.other.image)

    def test_who_comes_out_from_behind_the_other_is_known_by_the_colours(self):
        truth = seen(crossing(), ~runs(60, 90), np.ones(150, bool))
        settled = crossed(truth, runs(75, 150)).settled()
        np.testing.assert_array_equal(settled.lead.image, truth.one.image)
        assert not settled.lead.detected[60:90].any()  # masked, not invented

    @UNHURRIED
    @given(hnp.arrays(bool, 60))
    def test_any_crossing_of_the_tracks_is_put_right(self, swap):
        truth = crossing(60)
        np.testing.assert_array_equal(crossed(truth, swap).settled().lead.image, truth.one.image)

    @UNHURRIED
    @given(couples())
    def test_whatever_was_seen_nothing_is_lost_and_nothing_invented(self, couple):
        settled = couple.settled()
        mine = settled.lead.detected.astype(int) + settled.follow.detected
        np.testing.assert_array_equal(mine, couple.one.detected.astype(int) + couple.other.detected)
        assert 0.5 <= settled.confidence <= 1

    @pytest.mark.parametrize("count", [0, 1, 2])
    def test_hardly_anything_is_settled_too(self, count):
        assert len(crossing(count).settled().lead) == count

    def test_of_nobody_nothing_is_known(self):
        nobody = np.zeros(150, bool)
        settled = seen(crossing(), nobody, nobody).settled()
        assert not settled.lead.detected.any()
        assert settled.confidence == 0.5


class TestWhoLeads:
    @pytest.mark.parametrize("nearer", [-0.05, 0.0, 0.05])
    def test_the_taller_one_also_where_the_shorter_one_looks_taller_for_being_nearer(self, nearer):
        """A pinhole: bodies of 1 and 0.92 on a floor whose horizon is at 0.45."""
        feet = 0.85 + 0.02 * np.sin(np.arange(100) / 10 + [[0], [1]]) + [[0.0], [nearer]]
        tall, short = (standing_at(x, foot, (1 - 0.08 * x) * (foot - 0.45)) for x, foot in enumerate(feet))
        for couple, lead in ((Couple(tall, short, NO_COLOURS), tall), (Couple(short, tall, NO_COLOURS), tall)):
            settled = couple.settled()
            np.testing.assert_array_equal(settled.lead.image, lead.image)
            assert 0.8 < settled.confidence < 0.95

    def test_of_two_as_tall_as_each_other_nothing_is_told(self):
        pose = standing_at(0.5, np.full(100, 0.85), np.full(100, 0.5))
        assert Couple(pose, pose, NO_COLOURS).settled().confidence == 0.5


NO_COLOURS = np.full((100, 2, COLOURS), np.nan, np.float32)


def standing_at(x: float, feet: np.ndarray, height: np.ndarray) -> PoseFeatures:
    """Somebody whose ankles are at ``feet`` and whose head is ``height`` above them, image heights."""
    pose = body(np.full(len(feet), x))
    pose.image[..., 1] = feet[:, None] + (pose.image[..., 1] - 0.9) * height[:, None] / (0.95 * 0.7)
    return pose
