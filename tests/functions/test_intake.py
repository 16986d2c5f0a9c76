"""An upload becomes a job and its steps, or a failure that its owner understands; however often it is told of."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from functions.intake.handler import handle, plan_steps
from shared.errors import BadMessage, Unavailable
from shared.events import StepRequested, Tick, Topic, UploadFinalized
from shared.job import Job, Kind, Recording, Source, State, Step, StepState, features_name
from shared.memory import MemoryPorts
from tests.functions.support import SETTINGS, Clock, failure, new_ports, published
from tests.shared.media_files import Recipe, write


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> bytes:
    """Two seconds of picture and sound."""
    return written(tmp_path_factory.mktemp("intake"), Recipe(count=60))


@pytest.fixture
def ports() -> MemoryPorts:
    return new_ports(Clock())


def written(folder: Path, recipe: Recipe) -> bytes:
    return write(folder / "clip.mp4", recipe).read_bytes()


def upload(ports: MemoryPorts, content: bytes, name: str = "videos/clip.mp4", **metadata: str) -> UploadFinalized:
    return UploadFinalized(ports.blobs.put("uploads", name, content, "video/mp4", metadata), metadata)


def taken_in(ports: MemoryPorts, message: UploadFinalized) -> Job:
    handle(message, ports)
    return ports.jobs.get(message.job_id)


# Good input


def test_a_video_becomes_a_job_whose_steps_are_asked_for(ports, video):
    job = taken_in(ports, upload(ports, video, owner="maria"))
    assert (job.state, job.owner, job.error) == (State.EXTRACTING, "maria", None)
    assert job.plan == {"audio": {}, "pose-00": {"start": 0, "stop": 30}}
    assert job.media["duration_s"] == pytest.approx(2.0, abs=0.1)
    assert (job.media["rate_hz"], job.media["samples"]) == (15.0, 30)
    assert published(ports) == [StepRequested(job.id, "audio"), StepRequested(job.id, "pose-00")]


def test_options_are_read_from_the_metadata_and_other_notes_left_alone(ports, video):
    message = upload(ports, video, owner="maria", min_counts="4", min_probability="0.25", phone="a good one")
    assert taken_in(ports, message).options == {"min_counts": 4, "min_probability": 0.25}


@pytest.mark.parametrize("codec", [None, "libx264"])
def test_a_song_is_listened_to_and_not_watched(ports, tmp_path, codec):
    song = written(tmp_path, Recipe(codec=codec))
    job = taken_in(ports, upload(ports, song, "songs/song.m4a", difficulty="low", energy="auto", seed="7"))
    assert (job.state, job.kind, job.plan) == (State.EXTRACTING, Kind.CHOREOGRAPH, {"audio": {}})
    assert (job.media["video"], job.media["samples"]) == (None, 0)
    assert job.options == {"difficulty": "beginner", "energy": "auto", "seed": 7}


def test_an_annotated_clip_is_watched_for_both_its_dancers(ports, video):
    said = {"clip_id": "basic-2", "label": "basic", "difficulty": "high", "energy": "low", "styles": "sensual, modern"}
    job = taken_in(ports, upload(ports, video, "library/basic.mp4", **said))
    assert (job.kind, job.dancers, list(job.plan)) == (Kind.LIBRARY, 2, ["audio", "pose-00"])
    assert job.options == {**said, "difficulty": "advanced", "styles": "sensual,modern"}


@pytest.mark.parametrize("missing", ["clip_id", "label", "difficulty", "energy"])
def test_a_clip_without_its_annotation(ports, video, missing):
    said = {"clip_id": "basic", "label": "basic", "difficulty": "high", "energy": "low"}
    job = taken_in(ports, upload(ports, video, "library/basic.mp4", **{**said, missing: ""}))
    assert failure(ports, job.id) == "BAD_OPTION"


@pytest.mark.parametrize(("content", "code"), [(b"no music at all. " * 99, "NOT_A_SONG")])
def test_what_is_no_song_is_said_of_a_song(ports, content, code):
    job = taken_in(ports, upload(ports, content, "songs/song.mp3"))
    assert failure(ports, job.id) == code


def test_a_damaged_song_is_no_damaged_video(ports, tmp_path):
    whole = written(tmp_path, Recipe(codec=None))
    job = taken_in(ports, upload(ports, whole[: len(whole) * 2 // 3], "songs/song.m4a"))
    assert job.error
    assert "song" in job.error.message


def test_a_song_without_sound(ports, tmp_path):
    job = taken_in(ports, upload(ports, written(tmp_path, Recipe(sound=None)), "songs/song.mp4"))
    assert failure(ports, job.id) == "NO_SOUND"


def test_too_long_a_song(tmp_path):
    ports = new_ports(Clock(), replace(SETTINGS, max_duration_s=1.5))
    job = taken_in(ports, upload(ports, written(tmp_path, Recipe(codec=None)), "songs/song.m4a"))
    assert failure(ports, job.id) == "TOO_LONG"
    assert job.error
    assert job.error.message.startswith("The song lasts 1.98 seconds")


def test_a_rate_of_zero_means_every_picture(video):
    ports = new_ports(Clock(), replace(SETTINGS, rate_hz=0.0))
    assert taken_in(ports, upload(ports, video)).media["rate_hz"] == pytest.approx(30.0)


def test_a_notification_without_a_size_is_looked_up(ports, video):
    message = upload(ports, video)
    message = replace(message, source=replace(message.source, size=0))
    assert taken_in(ports, message).state is State.EXTRACTING


def test_a_long_video_has_as_many_shards_as_may_be_and_they_tile_it():
    plan = plan_steps({"samples": 13_500, "rate_hz": 15.0}, max_shards=8)
    assert list(plan) == ["audio", *(f"pose-{i:02d}" for i in range(8))]
    spans = [plan[step] for step in plan if step != "audio"]
    assert [span["start"] for span in spans] == [0, *(span["stop"] for span in spans[:-1])]
    assert spans[-1]["stop"] == 13_500


def test_an_upload_elsewhere_is_nobodys_business(ports, video):
    message = upload(ports, video, name="thumbnails/clip.mp4")
    handle(message, ports)
    assert ports.jobs.stale(ports.now().replace(year=2099), 10) == []
    assert published(ports) == []


# Bad input: FAILED with a code and a sentence, in one delivery


def test_an_empty_file(ports):
    assert failure(ports, taken_in(ports, upload(ports, b"")).id) == "EMPTY_FILE"


def test_text_that_is_named_mp4(ports):
    assert failure(ports, taken_in(ports, upload(ports, b"This is no video.\n" * 100)).id) == "NOT_A_VIDEO"


def test_sound_without_picture(ports, tmp_path):
    content = written(tmp_path, Recipe(codec=None))
    assert failure(ports, taken_in(ports, upload(ports, content)).id) == "NO_PICTURE"


def test_a_video_that_was_cut_off_while_uploading(ports, video):
    job = taken_in(ports, upload(ports, video[: len(video) // 2]))
    assert failure(ports, job.id) in {"DAMAGED_FILE", "NOT_A_VIDEO"}


def test_too_long_a_video(video):
    ports = new_ports(Clock(), replace(SETTINGS, max_duration_s=1.5))
    job = taken_in(ports, upload(ports, video))
    assert failure(ports, job.id) == "TOO_LONG"
    assert job.error
    assert "1.5 seconds at most" in job.error.message


def test_too_large_a_file_is_not_even_opened(ports):
    source = Source("uploads", "videos/huge.mp4", 1, size=3_000_000_000)
    job = taken_in(ports, UploadFinalized(source))
    assert failure(ports, job.id) == "TOO_LARGE"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("min_counts", "many"),
        ("min_counts", "0"),
        ("min_counts", "2.5"),
        ("method", "guessing"),
        ("min_probability", "1.5"),
        ("min_probability", "nan"),
    ],
)
def test_a_bad_option_is_named(ports, video, name, text):
    job = taken_in(ports, upload(ports, video, **{name: text}))
    assert failure(ports, job.id) == "BAD_OPTION"
    assert job.error
    assert name in job.error.message
    assert repr(text) in job.error.message


def test_nothing_is_asked_for_a_bad_upload(ports):
    handle(upload(ports, b"no video"), ports)
    assert published(ports) == []


@pytest.mark.parametrize("size", [0, 1000])
def test_an_upload_that_is_gone(ports, size):
    message = UploadFinalized(Source("uploads", "videos/gone.mp4", 7, size))
    assert failure(ports, taken_in(ports, message).id) == "SOURCE_GONE"


@pytest.mark.parametrize("size", [0, 1000])
def test_an_upload_that_was_replaced(ports, video, size):
    old = upload(ports, video)
    old = replace(old, source=replace(old.source, size=size))
    new = upload(ports, video)
    assert failure(ports, taken_in(ports, old).id) == "SOURCE_GONE"
    assert taken_in(ports, new).state is State.EXTRACTING


def test_another_kind_of_message_is_bad(ports):
    with pytest.raises(BadMessage):
        handle(Tick(), ports)


# A comparison


def compared(ports: MemoryPorts, content: bytes, **metadata: str) -> Job:
    return taken_in(ports, upload(ports, content, name="compare/me.mp4", **metadata))


@pytest.fixture
def taught(ports, video) -> Source:
    """A teacher's video that lies in the bucket and was never a job."""
    return ports.blobs.put("uploads", "lent/teacher.mp4", video)


def test_a_comparison_works_on_both_videos(ports, video, taught):
    job = compared(ports, video, owner="maria", teacher=taught.name)
    assert (job.state, job.kind) == (State.EXTRACTING, Kind.COMPARE)
    span = {"start": 0, "stop": 30}
    assert job.plan == {"audio": {}, "pose-00": span, "teacher-audio": {}, "teacher-pose-00": span}
    assert job.teacher == Recording(taught, job.media)
    assert [message.topic for message in published(ports)] == [
        Topic.AUDIO_REQUESTS, Topic.POSE_REQUESTS, Topic.AUDIO_REQUESTS, Topic.POSE_REQUESTS,
    ]  # fmt: skip


def test_its_steps_know_whose_video_they_work_on(ports, video, taught):
    job = compared(ports, video, teacher=taught.name)
    assert [job.recording(step).source.name for step in job.plan] == ["compare/me.mp4"] * 2 + [taught.name] * 2
    assert job.own_steps == ["audio", "pose-00"]


def done_before(ports: MemoryPorts, video: bytes) -> Job:
    """A teacher's video that was cut into moves."""
    job = taken_in(ports, upload(ports, video, name="videos/teacher.mp4"))
    for name in job.plan:
        ports.blobs.create("features", features_name(job, name), b"", "")
        output = {"object": features_name(job, name)}
        ports.jobs.update_step(job.id, name, lambda _, n=name, o=output: Step(n, StepState.DONE, 1, output=o))
    published(ports)
    return ports.jobs.update(job.id, lambda job: job.sealed().done({"moves": []}))


@pytest.mark.parametrize("by_name", [False, True])
def test_the_features_of_an_earlier_job_serve_again(ports, video, by_name):
    before = done_before(ports, video)
    job = compared(ports, video, teacher=before.source.name if by_name else before.id)
    assert job.teacher == Recording(before.source, before.media, before.id)
    assert list(job.plan) == ["audio", "pose-00"]


def test_features_of_one_dancer_do_not_serve_a_couple(ports, video):
    before = done_before(ports, video)
    job = compared(ports, video, teacher=before.id, dancers="2")
    assert job.dancers == 2
    assert job.teacher == Recording(before.source, before.media)
    assert "teacher-audio" in job.plan


def test_features_that_are_gone_are_extracted_again(ports, video):
    before = done_before(ports, video)
    ports.jobs.update_step(before.id, "audio", lambda step: replace(step, output={"object": "gone"}))
    job = compared(ports, video, teacher=before.id)
    assert job.teacher == Recording(before.source, before.media)
    assert "teacher-audio" in job.plan


def test_a_teacher_whose_job_is_still_at_work_is_not_waited_for(ports, video):
    before = taken_in(ports, upload(ports, video, name="videos/teacher.mp4"))
    assert "teacher-audio" in compared(ports, video, teacher=before.id).plan


def test_a_teacher_whose_job_failed_for_a_wrong_option_is_looked_at_anew(ports, video):
    before = taken_in(ports, upload(ports, video, name="compare/a.mp4", teacher="x", dancers="many"))
    assert failure(ports, before.id) == "BAD_OPTION"
    job = compared(ports, video, teacher=before.source.name)
    assert job.state is State.EXTRACTING
    assert "teacher-audio" in job.plan


def test_features_that_expire_before_they_are_used_are_extracted_again(ports, video):
    before = done_before(ports, video)
    ports.jobs.update(before.id, lambda job: replace(job, expire_at=ports.now() + timedelta(hours=20)))
    assert "teacher-audio" in compared(ports, video, teacher=before.id).plan


def test_a_comparison_without_a_teacher(ports, video):
    assert failure(ports, compared(ports, video).id) == "BAD_OPTION"


@pytest.mark.parametrize("name", ["videos/nobody.mp4", "0" * 32, "../../etc/passwd", "é" * 300])
def test_a_teacher_that_is_not_there(ports, video, name):
    assert failure(ports, compared(ports, video, teacher=name).id) == "NO_TEACHER"


def test_a_teacher_whose_video_is_gone(ports, video):
    before = taken_in(ports, upload(ports, video, name="videos/teacher.mp4"))
    upload(ports, video, name="videos/teacher.mp4")
    assert failure(ports, compared(ports, video, teacher=before.id).id) == "NO_TEACHER"


def test_a_teachers_file_that_is_no_video_is_said_to_be_the_teachers(ports, video):
    ports.blobs.put("uploads", "lent/text.mp4", b"no video")
    job = compared(ports, video, teacher="lent/text.mp4")
    assert failure(ports, job.id) == "NOT_A_VIDEO"
    assert job.error
    assert job.error.message.startswith("The teacher's video cannot be used.")


# Told of twice, in pieces, late


def test_an_overwrite_is_a_new_job(ports, video):
    jobs = [taken_in(ports, upload(ports, video)) for _ in range(2)]
    assert jobs[0].id != jobs[1].id
    assert [job.state for job in jobs] == [State.EXTRACTING] * 2


def test_a_duplicate_asks_again_and_changes_nothing(ports, video):
    message = upload(ports, video)
    job = taken_in(ports, message)
    asked = published(ports)
    assert taken_in(ports, message) == job
    assert published(ports) == asked


def test_a_duplicate_of_a_settled_job_asks_for_nothing(ports, video):
    message = upload(ports, video)
    job = taken_in(ports, message)
    ports.jobs.update(job.id, Job.cancelled)
    published(ports)
    assert taken_in(ports, message).state is State.CANCELLED
    assert published(ports) == []


def test_an_upload_told_of_again_by_the_sweep_keeps_its_owner_and_options(ports, video, monkeypatch):
    message = upload(ports, video, owner="maria", min_counts="4")
    with monkeypatch.context() as patched:
        patched.setattr(ports.blobs, "open", _unavailable)
        with pytest.raises(Unavailable):
            handle(message, ports)
    assert ports.jobs.get(message.job_id).state is State.RECEIVED
    job = taken_in(ports, UploadFinalized(message.source))
    assert (job.owner, job.options, job.state) == ("maria", {"min_counts": 4}, State.EXTRACTING)


def test_a_late_duplicate_that_finds_the_upload_gone_does_not_fail_a_job_that_has_what_it_needs(
    ports, video, monkeypatch
):
    message = upload(ports, video)
    reading = ports.blobs.open

    def open_late(source):
        """Another delivery plans the job, then the upload is replaced, before this one opens it."""
        monkeypatch.setattr(ports.blobs, "open", reading)
        handle(message, ports)
        upload(ports, video)
        return reading(source)

    monkeypatch.setattr(ports.blobs, "open", open_late)
    assert taken_in(ports, message).state is State.EXTRACTING


def test_a_bus_that_is_down_refuses_the_message_and_the_next_delivery_asks_for_all(ports, video, monkeypatch):
    message = upload(ports, video)
    with monkeypatch.context() as patched:
        patched.setattr(ports.bus, "publish", _unavailable)
        with pytest.raises(Unavailable):
            handle(message, ports)
    handle(message, ports)
    assert len(published(ports)) == 2


def _unavailable(*_):
    raise Unavailable
