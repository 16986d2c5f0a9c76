"""From clips to a library, from a song to a dance, in one process: on drawn dancers and a synthesised song."""

import itertools
import json
import os
import shutil
import wave
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from infra.local import cli, library, oneshot
from infra.local.library import library_in
from infra.local.sample.song import bachata
from infra.local.sample.video import write_sample
from shared.job import Kind, State
from shared.library import Move

TEMPI = {"slow": 118.0, "middle": 126.0, "quick": 134.0}


def entry(name: str, **said: object) -> dict[str, object]:
    return {"clip_id": name, "video_path": f"{name}.mp4", "move_label": "basic", "difficulty": "low",
            "energy_level": "medium", **said}  # fmt: skip


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three dances of 14 s, a text that is called a video, and what is said of them."""
    folder = tmp_path_factory.mktemp("clips")
    for seed, (name, tempo_bpm) in enumerate(TEMPI.items()):
        write_sample(folder / f"{name}.mp4", duration_s=14.0, tempo_bpm=tempo_bpm, width=640, height=360, seed=seed)
    (folder / "text.mp4").write_text("no video")
    said = [
        entry("slow", estimated_tempo=59),
        entry("middle", difficulty="high", move_label="spin"),
        entry("quick", move_label="footwork", energy_level="high"),
        entry("slow"),
        entry("text"),
        entry("nothing"),
    ]
    (folder / "annotations.json").write_text(json.dumps({"clips": said}))
    return folder


def said_of(clips: Path) -> list[dict[str, object]]:
    return json.loads((clips / "annotations.json").read_text())["clips"]


@pytest.fixture(scope="module")
def built(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("library")
    assert library.build(clips, clips / "annotations.json", out, os.environ) == 0
    return out


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(
        tmp_path_factory.mktemp("songs") / "my song.wav", bachata(40.0, 126.0, sample_rate_hz=22_050).samples
    )


def written(path: Path, samples) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(22_050)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return path


@pytest.fixture(scope="module")
def danced(song: Path, built: Path, tmp_path_factory: pytest.TempPathFactory):
    out, states = tmp_path_factory.mktemp("out"), []
    wishes = {"alternatives": "2"}
    job = oneshot.run(
        oneshot.local_clip(song), out, wishes, os.environ, states.append, kind=Kind.CHOREOGRAPH, library=built
    )
    assert job.state is State.DONE, job.error
    return out, states


class TestLibrary:
    def test_every_clip_is_told_of_and_what_is_wrong_is_named(self, built):
        report = json.loads((built / "report.json").read_text())
        found = {clip["clip_id"]: (clip["state"], {f["code"] for f in clip["findings"]}) for clip in report["clips"]}
        assert {name: state for name, (state, _) in found.items()} == {
            "slow": "added", "middle": "added", "quick": "added", "slow-2": "refused", "text": "refused",
            "nothing": "refused",
        }  # fmt: skip
        assert "TEMPO_DIFFERS" in found["slow"][1]
        assert found["slow-2"][1] == {"DUPLICATE_ID", "DUPLICATE_VIDEO"}
        assert found["text"][1] == {"NOT_A_VIDEO"}
        assert found["nothing"][1] == {"NOT_FOUND"}
        assert (report["moves"], report["blocks"] >= 6) == (3, True)

    @pytest.fixture
    def copied(self, built, tmp_path):
        return Path(shutil.copytree(built, tmp_path / "copied"))

    def test_a_clip_that_is_refused_now_leaves_nothing_of_what_it_was(self, copied, tmp_path):
        (tmp_path / "quick.mp4").write_text("no video any more")
        (tmp_path / "annotations.json").write_text(json.dumps([entry("quick")]))
        (copied / "mezzanine" / "orphan.mp4").write_bytes(b"of a build that was stopped")
        library.build(tmp_path, tmp_path / "annotations.json", copied, os.environ)
        report = json.loads((copied / "report.json").read_text())
        assert (report["moves"], report["not_in_the_annotations"]) == (2, ["middle", "slow"])
        assert {path.name.partition("-")[0] for path in (copied / "mezzanine").iterdir()} == {"middle", "slow"}

    def test_of_two_moves_of_one_id_that_a_stopped_build_left_the_newer_counts(self, clips, copied, tmp_path):
        (path,) = (copied / "moves").glob("quick-*.npz")
        older = replace(Move.from_bytes(path.read_bytes()), added_at="2020", mezzanine="mezzanine/zz.mp4")
        (copied / "moves" / "quick-zz.npz").write_bytes(older.to_bytes())
        assert [move.added_at > "2020" for move in library_in(copied).moves] == [True] * 3
        (tmp_path / "annotations.json").write_text(json.dumps(said_of(clips)[:3]))
        library.build(clips, tmp_path / "annotations.json", copied, os.environ)
        assert len(list((copied / "moves").iterdir())) == 3

    @pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:20_000])])
    def test_a_mezzanine_that_is_not_whole_is_made_anew_and_findings_are_not_forgotten(
        self, clips, copied, tmp_path, harm
    ):
        (tmp_path / "annotations.json").write_text(json.dumps(said_of(clips)[:3]))
        (film,) = (copied / "mezzanine").glob("middle-*")
        harm(film)
        library.build(clips, tmp_path / "annotations.json", copied, os.environ)
        told = {clip["clip_id"]: clip for clip in json.loads((copied / "report.json").read_text())["clips"]}
        assert [told[name]["state"] for name in TEMPI] == ["kept", "added", "kept"]
        assert "TEMPO_DIFFERS" in {finding["code"] for finding in told["slow"]["findings"]}
        (film,) = (copied / "mezzanine").glob("middle-*")
        with av.open(str(film)) as opened:
            assert sum(1 for _ in opened.decode(video=0)) == next(
                move.frames for move in library_in(copied).moves if move.id == "middle"
            )

    def test_what_is_unchanged_is_kept_and_what_was_changed_is_analysed_again(self, clips, copied, tmp_path):
        built = copied
        said = said_of(clips)[:3]
        said[2]["move_label"] = "golpes"
        (tmp_path / "annotations.json").write_text(json.dumps(said))
        before = {path.name for path in (built / "moves").iterdir()}
        library.build(clips, tmp_path / "annotations.json", built, os.environ)
        report = json.loads((built / "report.json").read_text())
        assert [clip["state"] for clip in report["clips"]] == ["kept", "kept", "added"]
        after = {path.name for path in (built / "moves").iterdir()}
        assert len(after) == len(before) == 3
        assert len(before - after) == 1
        assert len(list((built / "mezzanine").iterdir())) == 3


class TestChoreography:
    def test_there_are_the_files_that_the_readme_names(self, danced):
        out, _ = danced
        names = {path.name for path in out.iterdir()}
        assert names == {"plan.json", "choreography.mp4", "timeline.png", "thumbnail.jpg", "result.json"}

    def test_the_plan_fills_the_song_with_moves_of_the_library(self, danced):
        plan = json.loads((danced[0] / "plan.json").read_text())
        blocks = plan["blocks"]
        assert all(one["end_s"] == following["start_s"] for one, following in itertools.pairwise(blocks))
        assert {block["move"] for block in blocks} <= set(TEMPI)
        assert all(0.9 <= block["ratio"] <= 1.12 for block in blocks)
        assert plan["song"]["tempo_bpm"] == pytest.approx(126.0, rel=0.003)
        assert plan["value"] <= plan["bound"]
        assert len(plan["alternatives"]) == 1

    def test_the_film_is_as_long_as_the_song_and_has_its_sound(self, danced):
        with av.open(str(danced[0] / "choreography.mp4")) as film:
            assert film.duration / av.time_base == pytest.approx(40.0, abs=0.1)
            assert [stream.type for stream in film.streams] == ["video", "audio"]

    def test_the_plan_is_seen_before_the_video_is_there(self, danced):
        _, states = danced
        planned = [job for job in states if job.state is State.RUNNING and job.result]
        assert planned
        assert planned[0].stage == "Making the video"
        assert planned[0].result["plan"]
        assert "choreography" not in planned[0].result["objects"]
        progress = [job.progress for job in states]
        assert progress == sorted(progress)

    def test_the_same_wishes_are_the_same_dance(self, danced, song, built, tmp_path):
        plan = (danced[0] / "plan.json").read_text()
        status = cli.main(
            ["choreograph", str(song), "--library", str(built), "--out", str(tmp_path), "--alternatives", "2"]
        )
        assert status == 0
        assert [*json.loads((tmp_path / "plan.json").read_text())["blocks"]] == json.loads(plan)["blocks"]


class TestRecommending:
    @pytest.fixture
    def run(self, built, capsys):
        return lambda *asked: (cli.main(["library", "recommend", str(built), *asked]), capsys.readouterr())

    def test_the_move_that_is_at_home_there_comes_first(self, run):
        status, said = run("--role", "mambo", "--level", "1", "--tempo", "134", "--many", "1")
        assert (status, "quick" in said.out) == (0, True)

    def test_none_is_harder_than_wished_nor_the_one_that_it_shall_be_like(self, run):
        status, said = run("--difficulty", "beginner", "--like", "slow")
        assert (status, "middle" in said.out) == (0, False)

    def test_likeness_is_kept_in_the_library(self, run, built):
        first, again = run("--like", "slow"), run("--like", "slow")
        assert first == again
        assert len([*built.glob("similarity/*/*.npz")]) == 1

    @pytest.mark.parametrize("asked", [("--like", "nobody"), ("--like", "slow:x"), ("--role", "tango")])
    def test_what_there_is_not(self, run, asked):
        status, said = run(*asked)
        assert (status, "BAD_OPTION" in said.err) == (1, True)


def speech(rng: np.random.Generator, duration_s: float, rate_hz: int = 22_050) -> np.ndarray:
    """Like somebody who speaks: syllables of noise around two formants, at irregular times, with pauses for breath."""
    samples, at_s = np.zeros(round(duration_s * rate_hz)), 0.2
    while (length_s := rng.uniform(0.08, 0.3)) and at_s + length_s < duration_s:
        times_s = np.arange(round(length_s * rate_hz)) / rate_hz
        formants = [rng.uniform(300, 900), rng.uniform(1000, 2500)]
        resonance = sum(np.exp(-400 * times_s) * np.cos(2 * np.pi * hz * times_s) for hz in formants)
        voiced = np.convolve(rng.standard_normal(len(times_s)), resonance)[: len(times_s)]
        first = round(at_s * rate_hz)
        samples[first : first + len(voiced)] += np.hanning(len(voiced)) * voiced / np.abs(voiced).max()
        at_s += length_s + rng.exponential(0.06) + (rng.uniform(0.3, 0.9) if rng.random() < 0.15 else 0.0)
    return 0.3 * samples


class TestWhatCannotBeDanced:
    @pytest.fixture
    def run(self, built, tmp_path, capsys):
        def run(samples, *wishes: str, library: Path = built):
            path = written(tmp_path / "sound.wav", samples)
            arguments = ["choreograph", str(path), "--library", str(library), "--out", str(tmp_path / "out"), *wishes]
            return cli.main(arguments), " ".join(capsys.readouterr().out.split())

        return run

    def test_silence(self, run):
        status, said = run(np.zeros(22_050 * 10))
        assert (status, "NO_BEAT" in said) == (1, True)

    def test_noise(self, run):
        status, said = run(0.1 * np.random.default_rng(0).standard_normal(22_050 * 20))
        assert (status, "NO_BEAT" in said) == (1, True)

    def test_somebody_who_speaks(self, run):
        # For a minute: in 20 s of it chance finds a beat one time in ten.
        status, said = run(speech(np.random.default_rng(0), 60.0))
        assert (status, "NO_BEAT" in said) == (1, True)

    def test_an_empty_library(self, run, tmp_path):
        (tmp_path / "empty").mkdir()
        status, said = run(bachata(10.0, sample_rate_hz=22_050).samples, library=tmp_path / "empty")
        assert (status, "EMPTY_LIBRARY" in said) == (1, True)

    def test_five_seconds_become_a_short_dance(self, run, tmp_path):
        status, _ = run(bachata(5.0, 126.0, sample_rate_hz=22_050).samples)
        assert status == 0
        assert json.loads((tmp_path / "out" / "result.json").read_text())["plan"]

    def test_a_song_that_is_much_too_quick_is_danced_with_a_warning(self, run):
        status, said = run(bachata(20.0, 160.0, sample_rate_hz=22_050).samples)
        assert (status, "TEMPO_UNMET" in said) == (0, True)

    def test_a_clip_that_is_gone_is_named_and_the_dance_goes_on(self, run, built, tmp_path):
        shutil.copytree(built, tmp_path / "library")
        next((tmp_path / "library" / "mezzanine").glob("middle-*")).unlink()
        status, said = run(bachata(20.0, 126.0, sample_rate_hz=22_050).samples, library=tmp_path / "library")
        assert (status, "LIBRARY_INCOMPLETE" in said and "middle" in said) == (0, True)

    def test_a_library_of_one_clip_is_enough(self, run, built, tmp_path):
        alone = shutil.copytree(built, tmp_path / "library")
        for path in [*(alone / "moves").iterdir(), *(alone / "mezzanine").iterdir()]:
            if not path.name.startswith("quick-"):
                path.unlink()
        status, _ = run(bachata(20.0, 130.0, sample_rate_hz=22_050).samples, library=alone)
        plan = json.loads((tmp_path / "out" / "plan.json").read_text())
        assert (status, plan["library"]["moves"]) == (0, 1)
        assert {block["move"] for block in plan["blocks"]} == {"quick"}
        with av.open(str(tmp_path / "out" / "choreography.mp4")) as film:
            assert film.duration / av.time_base == pytest.approx(20.0, abs=0.1)

    def test_a_difficulty_that_is_none(self, run):
        assert run(np.zeros(100), "--difficulty", "impossible")[0] == 1
