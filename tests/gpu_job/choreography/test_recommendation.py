"""What is recommended: the best by the score, within the limits, and why."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_job.choreography import recommendation
from gpu_job.choreography.fit import FACTORS, Context, Traits, allowed, factors, fit
from gpu_job.choreography.fusion import Fusion
from gpu_job.choreography.nearest import ExactIndex, GraphIndex
from gpu_job.choreography.recommendation import Recommendation, Recommender, _Asked
from gpu_job.choreography.suiting import LABELS
from gpu_job.choreography.wording import LIKENESS
from shared.library import Difficulty, Energy, MoveLibrary, Style
from shared.music import EMBEDDING, Role
from shared.wishes import Wishes
from tests.gpu_job.choreography.shelf import a_clip, places, shelf, unit

BEGINNER, INTERMEDIATE, ADVANCED = Difficulty
ANY = Wishes()


def a_shelf(clips: int = 40, seed: int = 0) -> MoveLibrary:
    rng = np.random.default_rng(seed)
    return shelf(
        *(
            a_clip(
                f"clip-{i:03d}", LABELS[int(rng.integers(len(LABELS)))], difficulty=list(Difficulty)[i % 3],
                energy=list(Energy)[int(rng.integers(3))], tempo_bpm=float(rng.uniform(110, 145)),
                energies=tuple(rng.uniform(size=2)), detection=float(rng.uniform()),
            )
            for i in range(clips)
        )
    )  # fmt: skip


def thorough(library: MoveLibrary) -> Recommender:
    """As for a large library, however small it is."""
    return Recommender(Traits.of(library), Fusion.of(library), few=0)


def sketching(library: MoveLibrary) -> Recommender:
    """The same by sketches, whose making takes a while."""
    fusion = Fusion.of(library)
    return Recommender(Traits.of(library), fusion, ExactIndex(fusion.vectors, few=0), few=0)


def by_graph(library: MoveLibrary) -> Recommender:
    """As for a library of more than a million blocks."""
    fusion = Fusion.of(library)
    return Recommender(Traits.of(library), fusion, GraphIndex(fusion.vectors), few=0)


def best_by_fit(library: MoveLibrary, context: Context, wishes: Wishes, k: int) -> list[float]:
    scores = fit(factors(library, context, wishes))[0]
    return np.sort(scores[allowed(library, wishes)])[::-1][:k].tolist()


def blocks(found: tuple[Recommendation, ...]) -> list[int]:
    return [one.block for one in found]


# --- the best -----------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 50), k=st.integers(1, 12), energy=st.floats(0, 1), tempo_bpm=st.floats(100, 165),
    role=st.sampled_from(Role), difficulty=st.sampled_from([None, *Difficulty]), style=st.sampled_from([None, *Style]),
)  # fmt: skip
def test_the_best_are_recommended_of_few_and_of_many(
    seed: int,
    k: int,
    energy: float,
    tempo_bpm: float,
    role: Role,
    difficulty: Difficulty | None,
    style: Style | None,
) -> None:
    library, wishes = a_shelf(seed=seed), Wishes(difficulty, None, style)
    context = places(role, energy=energy, tempo_bpm=tempo_bpm)
    expected = best_by_fit(library, context, wishes, k)
    for recommender in (Recommender.of(library), thorough(library)):
        found = recommender.recommended(context, wishes, k)
        assert [one.score for one in found] == pytest.approx(expected, abs=1e-5)
        assert len(set(blocks(found))) == len(found)


def test_of_many_only_those_are_read_that_may_be_among_the_best() -> None:
    library = a_shelf()
    many = Traits.of(library).taken(np.arange(50_000) % len(library))
    many.tempo_bpm[:] = np.random.default_rng(0).uniform(100, 165, len(many))
    recommender = Recommender(many, Fusion.of(shelf()))
    context = places(Role.MAMBO, energy=0.9)
    weights = {"tempo": 1.0, "audio": 0.1}
    judged = recommender._judged(_Asked(context, ANY, 10, None, np.zeros(0, np.int64), weights))
    assert 10 <= len(judged) < len(many) / 5


def test_a_dancer_gets_what_the_place_asks_for() -> None:
    song = unit(7, EMBEDDING)
    library = shelf(
        a_clip("right", "footwork", energies=(0.9,), audio=song, difficulty=ADVANCED, smoothness=1),
        a_clip("wrong", "bolero", energies=(0.1,), tempo_bpm=110),
        a_clip("other", "bodywaves", energies=(0.5,)),
    )
    best = Recommender.of(library).recommended(places(Role.MAMBO, energy=0.9, audio=song), ANY)[0]
    assert library.move_of(best.block).id == "right"


def test_every_recommendation_tells_its_factors_and_its_score_follows_from_them() -> None:
    for one in Recommender.of(a_shelf()).recommended(places(), Wishes(style=Style.MODERN)):
        assert tuple(one.factors) == FACTORS
        assert all(0 <= value <= 1 for value in one.factors.values())
        assert one.score == pytest.approx(float(fit({n: np.array([[v]]) for n, v in one.factors.items()})[0, 0]))


# --- limits -------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [Recommender.of, thorough, by_graph])
@pytest.mark.parametrize("like", [None, 5])
def test_nothing_harder_than_wished_and_nothing_excluded_is_recommended(make: object, like: int | None) -> None:
    library, context = a_shelf(), places()
    recommender = make(library)
    first = recommender.recommended(context, Wishes(INTERMEDIATE), 5, like=like)
    then = recommender.recommended(context, Wishes(INTERMEDIATE), 100, like=like, exclude=blocks(first))
    assert set(blocks(first)).isdisjoint(blocks(then))
    for found in (first, then):
        assert all(library.difficulty[one.block] <= INTERMEDIATE.rank for one in found)
    others = int(allowed(library, Wishes(INTERMEDIATE)).sum()) - 5
    assert len(then) == others - (like is not None and bool(library.difficulty[like] <= INTERMEDIATE.rank))


@pytest.mark.parametrize("make", [Recommender.of, thorough, by_graph])
def test_where_nothing_is_allowed_nothing_is_recommended(make: object) -> None:
    hard = shelf(a_clip("a", difficulty=ADVANCED), a_clip("b", difficulty=ADVANCED))
    assert make(hard).recommended(places(), Wishes(BEGINNER)) == ()
    assert make(hard).recommended(places(), Wishes(BEGINNER), like=0) == ()


def test_an_empty_library_recommends_nothing() -> None:
    assert Recommender.of(shelf()).recommended(places(), ANY) == ()


def test_a_question_about_several_places_or_for_nothing_is_refused() -> None:
    recommender = Recommender.of(a_shelf())
    with pytest.raises(ValueError, match="places"):
        recommender.recommended(places(Role.VERSE, Role.MAMBO), ANY)
    with pytest.raises(ValueError, match="0 recommendations"):
        recommender.recommended(places(), ANY, 0)


# --- like one -----------------------------------------------------------------------------------


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 50), k=st.integers(1, 12), like=st.integers(0, 79), difficulty=st.sampled_from(Difficulty))
def test_of_many_like_one_the_best_are_those_of_judging_all(
    seed: int, k: int, like: int, difficulty: Difficulty
) -> None:
    library, context = a_shelf(seed=seed), places(Role.CHORUS, energy=0.7)
    judged_all = Recommender.of(library).recommended(context, Wishes(difficulty), k, like=like)
    few_read = sketching(library).recommended(context, Wishes(difficulty), k, like=like)
    assert [one.score for one in few_read] == pytest.approx([one.score for one in judged_all], abs=1e-5)


@pytest.mark.parametrize("make", [Recommender.of, thorough, by_graph])
def test_like_one_means_danced_and_sounding_like_it(make: object) -> None:
    pose, sound = unit(1, 384), unit(2, EMBEDDING)
    library = replace_all(a_shelf(), twin_of="clip-004", pose=pose, sound=sound)
    asked = next(i for i in range(len(library)) if library.move_of(i).id == "clip-004")
    best = make(library).recommended(places(), ANY, 1, like=asked)[0]
    assert library.move_of(best.block).id in {"twin", "clip-004"}
    assert best.factors[LIKENESS] > 0.9
    assert best.block != asked


def replace_all(library: MoveLibrary, *, twin_of: str, pose: np.ndarray, sound: np.ndarray) -> MoveLibrary:
    """The same with a clip that is danced like another of it, to the same music."""
    pair = [move for move in library.moves if move.id == twin_of]
    rest = [move for move in library.moves if move.id != twin_of]
    alike = [replace(move, pose_embedding=np.tile(pose, (2, 1)), audio_embedding=sound) for move in pair]
    return shelf(*rest, *alike, a_clip("twin", pose=pose, audio=sound, tempo_bpm=124))


def test_where_the_most_alike_are_too_hard_the_search_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    pose = unit(1, 384)
    near = [a_clip(f"near-{i}", pose=pose, difficulty=ADVANCED) for i in range(6)]
    far = [a_clip(f"far-{i}", difficulty=BEGINNER) for i in range(6)]
    monkeypatch.setattr(recommendation, "ALIKE", 2)
    library = shelf(*near, *far)
    found = by_graph(library).recommended(places(), Wishes(BEGINNER), 4, like=len(library) - 1)
    assert len(found) == 4


# --- why ----------------------------------------------------------------------------------------


def sentence(wishes: Wishes = ANY, like: int | None = None, **clip: object) -> str:
    library = shelf(a_clip("a", **clip), a_clip("b", "spin", difficulty=ADVANCED))
    return next(
        one.why
        for one in Recommender.of(library).recommended(places(Role.MAMBO, energy=0.8), wishes, like=like)
        if one.block == 0
    )


def test_a_sentence_says_what_speaks_for_a_block_and_what_against_it() -> None:
    lively = {"energies": (0.9,), "energy": Energy.HIGH}
    told = sentence(label="cross_body_lead", tempo_bpm=126, smoothness=1, **lively)
    assert told.startswith("Cross body lead: ")
    assert "danced at 126 BPM where the song has 125" in told
    assert told.endswith(".")
    assert "danced at this tempo" in sentence(label="cross_body_lead", tempo_bpm=125.2, smoothness=1, **lively)
    assert "slowed down from 145 BPM" in sentence(label="footwork", tempo_bpm=145, **lively)
    assert "sped up from 105 BPM" in sentence(label="footwork", tempo_bpm=105, **lively)
    assert "seldom danced in a mambo" in sentence(label="bolero", **lively)


def test_wishes_are_spoken_of_only_where_they_are_wished() -> None:
    assert "wished" not in sentence(label="bodywaves")
    assert "sensual as wished" in sentence(Wishes(style=Style.SENSUAL), label="bodywaves")


def test_of_a_block_that_suits_in_nothing_no_good_is_said() -> None:
    told = sentence(
        Wishes(style=Style.SENSUAL), label="intros", energies=(0.0,), energy=Energy.LOW, tempo_bpm=160, detection=0.2,
        difficulty=BEGINNER, smoothness=0.0, audio=np.zeros(EMBEDDING, np.float32),
    )  # fmt: skip
    assert told == "Intros: not of the energy that is wanted here."


def test_likeness_is_spoken_of_where_it_was_asked_for() -> None:
    assert "like the one asked for" in sentence(like=1)
