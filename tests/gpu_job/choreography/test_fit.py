"""What speaks for a block at a place of a song: by rule, by table, and within 0 and 1."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_job.choreography.fit import (
    FACTORS,
    WEIGHTS,
    Traits,
    allowed,
    block_energy,
    contexts,
    factors,
    factors_of,
    fit,
    midranks,
    unwished,
    wanted_energy,
)
from gpu_job.choreography.plan import Slot
from gpu_job.choreography.suiting import LABELS, NEUTRAL, suits_role, suits_style
from shared.library import Difficulty, Energy, MoveLibrary, Style
from shared.music import EMBEDDING, Music, Role, Section
from shared.timeline import BeatGrid, Segment
from shared.wishes import Wishes
from tests.gpu_job.choreography.shelf import a_clip, places, shelf, unit

BEGINNER, INTERMEDIATE, ADVANCED = Difficulty
ANY = Wishes()


def a_shelf(clips: int = 12) -> MoveLibrary:
    """Of all categories, levels and tempi, two blocks a clip."""
    levels, energies, rng = list(Difficulty), list(Energy), np.random.default_rng(3)
    return shelf(
        *(
            a_clip(
                f"clip-{i:03d}", LABELS[i % len(LABELS)], difficulty=levels[i % 3], energy=energies[i // 2 % 3],
                tempo_bpm=105 + 5.0 * (i % 9), energies=tuple(rng.uniform(size=2)), detection=rng.uniform(),
            )
            for i in range(clips)
        )
    )  # fmt: skip


def of_one(name: str, library: MoveLibrary, wishes: Wishes = ANY, **place: float | np.ndarray) -> np.ndarray:
    """``(N,)`` of one factor, at one place of a verse."""
    return factors(library, places(**place), wishes)[name][0]


# --- together -----------------------------------------------------------------------------------


@pytest.mark.parametrize("wishes", [ANY, Wishes(BEGINNER, Energy.HIGH, Style.SENSUAL)])
def test_every_factor_and_their_mean_lie_between_0_and_1(wishes: Wishes) -> None:
    library, context = a_shelf(), places(*Role, energy=np.linspace(0, 1, len(Role)))
    found = factors(library, context, wishes)
    assert tuple(found) == FACTORS
    for values in (*found.values(), fit(found)):
        assert values.shape == (len(Role), len(library))
        assert values.min() >= 0
        assert values.max() <= 1


def test_a_block_that_suits_in_everything_fits_wholly() -> None:
    song = unit(7, EMBEDDING)
    library = shelf(a_clip(difficulty=ADVANCED, smoothness=1.0, audio=song))
    found = factors(library, places(audio=song), ANY)
    assert found.pop("audio") == NEUTRAL, "a single clip is like what all have in common"
    assert all(values == pytest.approx(1) for values in found.values())


def test_weights_say_what_counts_and_need_not_sum_to_one() -> None:
    found = factors(a_shelf(), places(), ANY)
    assert fit(found, {"tempo": 3.0}) == pytest.approx(found["tempo"])
    assert fit(found, {"tempo": 2.0, "role": 2.0}) == pytest.approx((found["tempo"] + found["role"]) / 2)
    assert sum(WEIGHTS.values()) == pytest.approx(1)


def test_a_library_without_a_block_and_a_song_without_a_place_have_nothing_to_judge() -> None:
    assert fit(factors(shelf(), places(), ANY)).shape == (1, 0)
    nowhere = contexts(Music.none(10.0), ())
    assert fit(factors(a_shelf(), nowhere, ANY)).shape == (0, len(a_shelf()))


def test_some_blocks_are_judged_as_they_are_among_all() -> None:
    library, context, some = a_shelf(), places(Role.VERSE, Role.MAMBO), np.array([5, 0, 17])
    alone = factors_of(Traits.of(library).taken(some), context, ANY)
    assert fit(alone) == pytest.approx(fit(factors(library, context, ANY))[:, some])


def test_a_library_larger_than_a_chunk_is_judged_block_by_block_as_a_small_one() -> None:
    few = Traits.of(a_shelf())
    many = few.taken(np.arange(40_000) % len(few))
    context = places(Role.VERSE, Role.MAMBO, energy=0.8)
    assert fit(factors_of(many, context, ANY)) == pytest.approx(
        np.take(fit(factors_of(few, context, ANY)), np.arange(40_000) % len(few), axis=1)
    )


# --- sound --------------------------------------------------------------------------------------


def test_the_more_a_clip_sounds_like_the_song_the_better() -> None:
    song, other = unit(7, EMBEDDING), unit(8, EMBEDDING)
    between = (song + other) / np.linalg.norm(song + other)
    library = shelf(a_clip("a", audio=song), a_clip("b", audio=between), a_clip("c", audio=other))
    same, near, far = of_one("audio", library, audio=song)
    assert same == pytest.approx(1)
    assert same > near > far


def test_what_all_clips_have_in_common_makes_none_of_them_alike() -> None:
    studio = 20 * unit(1, EMBEDDING)
    song, other = (studio + unit(seed, EMBEDDING) for seed in (2, 3))
    lengths = [float(np.linalg.norm(each)) for each in (song, other)]
    song, other = song / lengths[0], other / lengths[1]
    assert song @ other > 0.99
    like, unlike = of_one("audio", shelf(a_clip("a", audio=song), a_clip("b", audio=other)), audio=song)
    assert like - unlike > 0.9


def test_a_silent_clip_and_a_silent_song_say_nothing_for_or_against() -> None:
    silence = np.zeros(EMBEDDING, np.float32)
    assert of_one("audio", shelf(a_clip(audio=silence))) == pytest.approx(NEUTRAL)
    assert of_one("audio", shelf(a_clip("a"), a_clip("b"), a_clip("c", audio=silence)))[2] == pytest.approx(NEUTRAL)
    assert of_one("audio", a_shelf(), audio=silence) == pytest.approx(NEUTRAL)


# --- tempo --------------------------------------------------------------------------------------


@given(st.floats(100, 165), st.floats(100, 165), st.floats(100, 165))
def test_a_better_tempo_never_scores_lower(song: float, one: float, other: float) -> None:
    library = shelf(a_clip("a", tempo_bpm=one), a_clip("b", tempo_bpm=other))
    a, b = of_one("tempo", library, tempo_bpm=song)
    nearer = abs(np.log(song / one)) <= abs(np.log(song / other))
    assert a >= b if nearer else b >= a


def test_a_faster_clip_is_as_far_off_as_one_that_is_as_much_slower() -> None:
    slower, faster = of_one("tempo", shelf(a_clip("a", tempo_bpm=120), a_clip("b", tempo_bpm=130)),
                            tempo_bpm=np.sqrt(120 * 130))  # fmt: skip
    assert slower == pytest.approx(faster)
    assert slower == pytest.approx(1 / (1 + (np.log(130 / 120) / 2 / 0.06) ** 2), abs=1e-6)


def test_of_two_tempi_out_of_reach_the_nearer_is_better_yet() -> None:
    near, far = of_one("tempo", shelf(a_clip("a", tempo_bpm=125), a_clip("b", tempo_bpm=145)), tempo_bpm=88)
    assert near > far > 0


def test_the_tempo_of_a_place_is_that_of_its_own_beats() -> None:
    beats_s = np.cumsum([0.0, *[0.5] * 8, *[0.4] * 7])
    music = replace(
        Music.none(20.0), beats=BeatGrid(beats_s, np.arange(16) % 4 + 1), counts=np.arange(16) % 8 + 1,
        energy=np.repeat([0.3, 0.9], 8), guira=np.ones(16),
        sections=(
            Section(Role.VERSE, 0, 8, Segment(0, 4), 0, 0.5, 1.0),
            Section(Role.MAMBO, 8, 16, Segment(4, 8), 1, 0.9, 1.0),
        ),
    )  # fmt: skip
    context = contexts(music, [Slot(0, 8, Segment(0, 4), 0, 0.3), Slot(8, 4, Segment(4, 5.6), 1, 0.9)])
    assert context.tempo_bpm == pytest.approx([120.0, 150.0])
    assert context.energy == pytest.approx([(0.3 + 0.25) / 2, (0.9 + 0.75) / 2]), "half of it the rank"
    assert context.roles == (Role.VERSE, Role.MAMBO)


# --- energy -------------------------------------------------------------------------------------


def test_the_energy_of_blocks_is_their_rank_and_their_teachers_word() -> None:
    moving = block_energy(shelf(a_clip(energies=(0.11, 0.10, 0.12))))
    assert np.argsort(moving).tolist() == [1, 0, 2]
    assert np.ptp(moving) > 0.4, "small differences are differences nonetheless"
    calm, wild = block_energy(shelf(a_clip("a", energy=Energy.LOW), a_clip("b", energy=Energy.HIGH)))
    assert calm < wild, "of two that move as much, the word decides"


@given(st.floats(0, 1))
def test_the_nearest_in_energy_is_never_behind(wanted: float) -> None:
    library = a_shelf()
    found, apart = of_one("energy", library, energy=wanted), np.abs(block_energy(library) - wanted)
    assert np.all(np.diff(found[np.argsort(apart)]) <= 1e-6)


def test_a_wished_energy_keeps_the_rise_of_the_song_within_its_part_of_the_scale() -> None:
    song = places(*Role, energy=np.linspace(0, 1, len(Role)))
    for energy, low, high in ((None, 0, 1), (Energy.LOW, 0, 0.4), (Energy.MEDIUM, 0.3, 0.7), (Energy.HIGH, 0.6, 1)):
        wanted = wanted_energy(song, Wishes(energy=energy))
        assert np.all(np.diff(wanted) > 0)
        assert (wanted[0], wanted[-1]) == pytest.approx((low, high))


def test_following_the_song_the_chosen_blocks_rise_and_fall_with_it() -> None:
    library, wave = a_shelf(60), (1 + np.sin(np.arange(40) / 3)) / 2
    context = places(*[Role.VERSE] * 40, energy=wave)
    chosen = block_energy(library)[fit(factors(library, context, ANY)).argmax(axis=1)]
    assert np.corrcoef(midranks(chosen), midranks(wave))[0, 1] > 0.6


@given(st.lists(st.integers(-5, 5), min_size=1))
def test_ranks_keep_order_and_equals_share_theirs(values: list[int]) -> None:
    ranks = midranks(np.array(values, dtype=float))
    assert np.all((ranks > 0) & (ranks < 1))
    assert ranks.mean() == pytest.approx(0.5)
    order = np.sign(np.subtract.outer(values, values))
    assert np.array_equal(np.sign(np.subtract.outer(ranks, ranks)), order)


# --- difficulty ---------------------------------------------------------------------------------


def test_difficulty_is_a_limit_and_the_wished_level_comes_before_easier_ones() -> None:
    library = shelf(*(a_clip(str(level.rank), difficulty=level) for level in Difficulty))
    assert of_one("difficulty", library, Wishes(ADVANCED)).tolist() == pytest.approx([0.2, 0.6, 1.0])
    assert of_one("difficulty", library, Wishes(INTERMEDIATE)).tolist() == pytest.approx([0.6, 1.0, 0.0])
    assert of_one("difficulty", library, Wishes(BEGINNER)).tolist() == pytest.approx([1.0, 0.0, 0.0])


def test_who_wishes_no_difficulty_is_suited_by_all() -> None:
    library = a_shelf()
    assert of_one("difficulty", library).tolist() == [1.0] * len(library)
    assert allowed(library, ANY).all()


def test_what_is_not_wished_says_nothing() -> None:
    assert unwished(ANY) == {"difficulty", "style"} <= set(FACTORS)
    assert unwished(Wishes(ADVANCED, None, Style.MODERN)) == set()


@pytest.mark.parametrize("level", Difficulty)
def test_nothing_harder_than_wished_is_allowed(level: Difficulty) -> None:
    library = a_shelf()
    assert np.array_equal(allowed(library, Wishes(level)), library.difficulty <= level.rank)


# --- style and role -----------------------------------------------------------------------------


def test_who_wishes_no_style_is_suited_by_all() -> None:
    assert of_one("style", a_shelf()).tolist() == [1.0] * len(a_shelf())


def test_an_annotation_adds_to_what_a_category_suits() -> None:
    library = shelf(a_clip("a", "footwork"), a_clip("b", "footwork", styles=("sensual",)), a_clip("c", "unheard_of"))
    assert of_one("style", library, Wishes(style=Style.SENSUAL)).tolist() == pytest.approx([0.2, 1.0, NEUTRAL])
    assert of_one("style", library, Wishes(style=Style.TRADITIONAL)).tolist() == pytest.approx([1.0, 1.0, NEUTRAL])


def test_intros_are_at_home_in_the_intro_and_outros_in_the_outro_only() -> None:
    library = shelf(a_clip("a", "intros"), a_clip("b", "outro"))
    found = dict(zip(Role, factors(library, places(*Role), ANY)["role"].tolist(), strict=True))
    assert found.pop(Role.INTRO) == [1.0, 0.0]
    assert found.pop(Role.OUTRO) == [0.0, 1.0]
    assert all(values == [0.0, 0.0] for values in found.values())


@pytest.mark.parametrize(("role", "label"), [(Role.VERSE, "basic"), (Role.MAMBO, "footwork"), (Role.MAMBO, "golpes"),
                                             (Role.CHORUS, "ladyturn"), (Role.BRIDGE, "bodywaves")])  # fmt: skip
def test_every_section_has_its_moves(role: Role, label: str) -> None:
    best = max(suits_role(each, role) for each in LABELS)
    assert suits_role(label, role) == best


def test_every_style_and_every_role_has_a_category_that_is_at_home_and_one_that_is_not() -> None:
    for values in (*([suits_style(x, s) for x in LABELS] for s in Style),
                   *([suits_role(x, r) for x in LABELS] for r in Role)):  # fmt: skip
        assert max(values) == 1.0 or max(values) == pytest.approx(0.9)
        assert min(values) < NEUTRAL
        assert all(0 <= value <= 1 for value in values)


# --- quality ------------------------------------------------------------------------------------


def test_blocks_in_which_little_is_seen_or_that_jerk_are_worse() -> None:
    library = shelf(a_clip("a", smoothness=1), a_clip("b", smoothness=1, detection=0.4), a_clip("c", smoothness=0.2))
    assert of_one("quality", library).tolist() == pytest.approx([1.0, 0.7, 0.6])
