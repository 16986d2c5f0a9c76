"""A folder of features is read whole, and what is wrong with it is told with the file's name."""

import json
from pathlib import Path

import numpy as np
import pytest

from gpu_job.segmentation.learning import clips as module
from gpu_job.segmentation.learning.clips import NotExtracted, clips_in, extracted
from shared.errors import BadMessage, NotFound
from tests.gpu_job.segmentation.learning.footage import clip, coupled, recorded
from tests.gpu_job.segmentation.truth import unseen

DIGEST = "0123456789abcdef"


@pytest.fixture
def one():
    return coupled(recorded(1, 4.0), recorded(2, 4.0))


@pytest.fixture
def folder(tmp_path, one):
    """As the command leaves it: a couple with its label, and somebody without either."""
    written = clip("spin/spin1", "spin", one.one)
    for digest in (DIGEST, "f" * 16):
        (tmp_path / f"{digest}.pose.npz").write_bytes(written.pose.to_bytes())
        (tmp_path / f"{digest}.audio.npz").write_bytes(written.audio.to_bytes())
    (tmp_path / f"{DIGEST}.couple.npz").write_bytes(one.to_bytes())
    listed = [
        {"name": "spin/spin1", "video": "spin/spin1.mp4", "digest": DIGEST, "label": "spin"},
        {"name": "alone", "video": "alone.mov", "digest": "f" * 16, "label": None},
    ]
    (tmp_path / "clips.json").write_text(json.dumps(listed))
    return tmp_path


class TestReading:
    def test_what_was_written_is_read_in_its_order(self, folder, one):
        spin, alone = clips_in(folder)
        assert (spin.name, spin.label, alone.name, alone.label) == ("spin/spin1", "spin", "alone", None)
        np.testing.assert_array_equal(spin.pose.image, one.one.image)
        np.testing.assert_array_equal(spin.couple.other.image, one.other.image)
        assert (spin.audio.duration_s, alone.couple) == (4.0, None)

    def test_a_folder_without_clips_is_none_of_ours(self, tmp_path):
        with pytest.raises(NotFound, match=r"clips\.json: `dancebits features` makes it"):
            clips_in(tmp_path)

    @pytest.mark.parametrize("told", ["no JSON", "3", "[4]", '[{"name": "a", "label": null}]', "\xff"])
    def test_a_list_that_cannot_be_read_is_named(self, folder, told):
        (folder / "clips.json").write_text(told, "latin-1")
        with pytest.raises(BadMessage, match=r"clips\.json is no list of clips"):
            clips_in(folder)

    @pytest.mark.parametrize("what", ["pose", "audio"])
    def test_a_file_that_is_missing_is_named(self, folder, what):
        (folder / f"{DIGEST}.{what}.npz").unlink()
        with pytest.raises(NotFound, match=rf"{DIGEST}\.{what}\.npz"):
            clips_in(folder)

    @pytest.mark.parametrize("what", ["pose", "audio", "couple"])
    def test_a_file_that_was_cut_off_is_named(self, folder, what):
        path = folder / f"{DIGEST}.{what}.npz"
        path.write_bytes(path.read_bytes()[:1000])
        with pytest.raises(BadMessage, match=rf"{DIGEST}\.{what}\.npz: "):
            clips_in(folder)


class TestViews:
    def test_a_couple_is_seen_three_times(self, folder, one):
        followed, *both = clips_in(folder)[0].views()
        np.testing.assert_array_equal(followed.image, one.one.image)
        assert {pose.image.tobytes() for pose in both} == {one.one.image.tobytes(), one.other.image.tobytes()}

    def test_who_was_not_looked_at_as_a_couple_is_seen_once(self, folder):
        alone = clips_in(folder)[1]
        assert alone.views() == (alone.pose,)

    @pytest.mark.parametrize(("least_seen", "views"), [(0.6, 2), (0.5, 3), (0.0, 3)])
    def test_who_is_hidden_for_too_long_is_no_view(self, folder, one, least_seen, views):
        hidden = coupled(one.one, unseen(one.other, 0, 30))  # of 60
        (folder / f"{DIGEST}.couple.npz").write_bytes(hidden.to_bytes())
        assert len(clips_in(folder)[0].views(least_seen)) == views


class TestExtracting:
    """With a command that stands in for ours: ours is tried with its own tests."""

    @pytest.fixture
    def command(self, monkeypatch, tmp_path):
        def command(code):
            script = tmp_path / "command.py"
            script.write_text(f"import sys\n{code}\n")
            monkeypatch.setattr(module, "COMMAND", (module.sys.executable, str(script)))

        return command

    def test_it_is_told_where_and_what(self, command, folder, tmp_path):
        command(f"open({str(tmp_path / 'told')!r}, 'w').write(' '.join(sys.argv[1:]))")
        assert len(extracted(Path("videos"), Path("a.json"), folder)) == 2
        assert (tmp_path / "told").read_text() == f"--out={folder} --annotations=a.json -- videos"
        extracted(Path("videos"), None, folder)
        assert (tmp_path / "told").read_text() == f"--out={folder} -- videos"

    @pytest.mark.parametrize(
        ("said", "told"),
        [
            (r"W1 a library\ndancebits: NO_CLIPS: None can be used.\nI0 bye\n", r"NO_CLIPS: None can be used\."),
            (r"Traceback\nModuleNotFoundError: No module named 'infra'\n", "ModuleNotFoundError: No module named 'in"),
            ("", "the command ended with 3 and no word"),
        ],
    )
    def test_its_failure_is_told_in_its_own_words(self, command, folder, said, told):
        command(f"sys.stderr.write({said!r}.replace(chr(92) + 'n', chr(10))); sys.exit(3)")
        with pytest.raises(NotExtracted, match=rf"^The features of videos could not be extracted: {told}"):
            extracted(Path("videos"), None, folder)
