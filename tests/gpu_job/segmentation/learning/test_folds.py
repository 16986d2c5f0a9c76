"""Every clip has a fold, the same one always; labels are spread, and the same footage stays together."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_job.segmentation.learning.folds import folds
from tests.gpu_job.segmentation.learning.footage import clip, piece, recorded

SHORT = [recorded(seed, 1.0) for seed in range(2)]  # too short to be anybody's twin


def short_clip(name, label):
    return clip(name, label, SHORT[0])


names = st.lists(st.text("abcdefgh/_0123", min_size=1), unique=True, max_size=40)
labels = st.sampled_from(["basic", "spin", "outro", None])


@given(names.flatmap(lambda names: st.lists(st.tuples(labels), min_size=len(names), max_size=len(names)).map(
    lambda drawn: [short_clip(name, label) for name, (label,) in zip(names, drawn, strict=True)]
)), st.integers(1, 6))  # fmt: skip
def test_labels_and_clips_are_spread_evenly(clips, count):
    dealt = folds(clips, count)
    assert dealt.keys() == {one.name for one in clips}
    assert set(dealt.values()) <= set(range(count))
    for label in {one.label for one in clips}:
        many = Counter(dealt[one.name] for one in clips if one.label == label)
        assert max(many.values()) - min(many[fold] for fold in range(count)) <= 1


def test_the_folds_are_of_like_size_though_labels_are_rare():
    clips = [short_clip(f"{label}/{number}", label) for label in "abcdef" for number in range(2)]
    assert sorted(Counter(folds(clips, 4).values()).values()) == [3, 3, 3, 3]


def test_the_order_of_the_clips_does_not_matter():
    clips = [short_clip(f"clip{number}", "spin" if number % 3 else "basic") for number in range(20)]
    assert folds(clips) == folds(clips[::-1])


def test_neighbours_in_name_are_not_neighbours_in_folds():
    """As `spin1` and `spin2` of one evening would be, were clips dealt in the order of their names."""
    clips = [short_clip(f"clip{number:02d}", "spin") for number in range(20)]
    dealt = folds(clips)
    assert [dealt[one.name] for one in clips] != [number % 5 for number in range(20)]


def test_clips_of_the_same_footage_share_a_fold_whatever_they_are_called():
    long = recorded(1, 12.0)
    parts = [
        clip("basic/one", "basic", piece(long, 0.0, 5.0)),
        clip("spin/two", "spin", piece(long, 2.5, 8.5)),
        clip("outro/three", "outro", piece(long, 6.0, 12.0)),
    ]
    others = [clip(f"basic/{seed}", "basic", seed=seed) for seed in range(2, 6)]
    dealt = folds([parts[0], *others, parts[2], parts[1]], 3)
    assert len({dealt[part.name] for part in parts}) == 1
    assert set(dealt.values()) == {0, 1, 2}


def test_one_fold_holds_all():
    assert set(folds([short_clip("a", None), short_clip("b", "spin")], 1).values()) == {0}


def test_no_clips_have_no_folds():
    assert folds([]) == {}


@pytest.mark.parametrize(("clips", "count"), [(["a", "b"], 0), (["a", "a"], 5)])
def test_what_cannot_be_dealt_is_refused(clips, count):
    with pytest.raises(ValueError, match="different names"):
        folds([short_clip(name, "spin") for name in clips], count)
