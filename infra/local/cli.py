"""The command line ``dancebits``."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from shared.errors import BadOption, DanceBitsError, MissingTool, NotFound
from shared.job import Kind

LEAST_SECONDS, MOST_SECONDS = 2, 900
"""Of a sample: a bar at any tempo; and what the service takes."""
WISHES = frozenset({
    "min_probability", "min_counts", "method", "teacher", "dancers", "difficulty", "energy", "style", "seed",
    "alternatives", "quality", "clip_id", "label", "tempo_bpm", "styles",
})  # fmt: skip
"""Arguments that become options of a job."""


STOPPED = "Stopped. Nothing was changed but what was finished before; the same command goes on, or begins anew."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. 0: done; 1: it could not be done, and a sentence said why; 2: the command is wrong."""
    chosen = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.ERROR, format="%(message)s")  # what matters is told once, at the end
    try:
        return int(chosen.run(chosen))
    except DanceBitsError as error:
        return _complain(f"{error.code}: {error.message}")
    except ModuleNotFoundError as error:
        return _complain(f"{MissingTool.code}: {_missing(error, chosen.extra)}")
    except OSError as error:
        return _complain(f"FILES: {_refused(error)}")
    except KeyboardInterrupt:
        return _complain(STOPPED)
    except SystemExit as left:  # by a signal
        _complain(STOPPED)
        raise left from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dancebits", description="A dance video goes in; its moves come out.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _demo_command(commands.add_parser("demo", help="draw a dancer, run the chain on it, compare with the truth"))
    _segment_command(commands.add_parser("segment", help="cut a video into its moves, in this process"))
    _compare_command(commands.add_parser("compare", help="hold a student's dance against a teacher's, in this process"))
    _choreograph_command(commands.add_parser("choreograph", help="make a choreography for a song, in this process"))
    _library_command(commands.add_parser("library", help="build a move library from annotated clips"))
    _features_command(commands.add_parser("features", help="extract features of a folder of videos, to train on"))
    _up_command(commands.add_parser("up", help="run the whole system on this machine, on emulators"))
    _upload_command(commands.add_parser("upload", help="upload a video to the running system"))
    _watch_command(commands.add_parser("watch", help="watch a job of the running system until it is settled"))
    _token_command(commands.add_parser("token", help="print a token with which the running system's API knows a user"))
    return parser


def _demo_command(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, default=Path("dancebits-demo"), help="folder for the files (%(default)s)")
    parser.add_argument(
        "--seconds", type=_seconds, default=32.0, metavar="S", help="length of the sample (%(default)s)"
    )
    parser.add_argument("--seed", type=_seed, default=0, help="another seed is another dance (%(default)s)")
    parser.set_defaults(run=_demo, extra="oneshot")


def _segment_command(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("video", help="a file, or s3://bucket/name")
    parser.add_argument("--out", type=Path, required=True, help="folder for the result")
    _add_options(parser)
    parser.set_defaults(run=_segment, extra="oneshot")


def _compare_command(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("student", help="a file, or s3://bucket/name")
    parser.add_argument("model", metavar="teacher", help="the same dance as it should be: a file, or s3://bucket/name")
    parser.add_argument(
        "--out", type=Path, default=Path("dancebits-comparison"), help="folder for the result (%(default)s)"
    )
    _add_dancers(parser)
    parser.set_defaults(run=_compare, extra="oneshot")


def _choreograph_command(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("song", help="a file, or s3://bucket/name")
    parser.add_argument("--library", type=Path, required=True, metavar="LIB", help="what `library build` made")
    parser.add_argument(
        "--out", type=Path, default=Path("dancebits-choreography"), help="folder for the result (%(default)s)"
    )
    _add_wishes(parser)
    parser.set_defaults(run=_choreograph, extra="oneshot")


def _library_command(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    build = actions.add_parser("build", help="analyse clips that are new or changed, and report on all")
    build.add_argument("clips", type=Path, help="the folder of the clips")
    build.add_argument("--annotations", type=Path, required=True, metavar="FILE", help="what is danced in them, JSON")
    build.add_argument("--out", type=Path, required=True, metavar="LIB", help="folder for the library")
    build.add_argument("--anew", action="store_true", help="analyse unchanged clips, too")
    build.set_defaults(run=_build, extra="oneshot")
    _recommend_command(actions.add_parser("recommend", help="the eights that suit a place of a song, and why"))


def _recommend_command(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("library", type=Path, metavar="LIB", help="what `library build` made")
    parser.add_argument("--role", default="verse", metavar="R", help="its section (%(default)s)")
    parser.add_argument("--tempo", type=_tempo, default=125.0, metavar="BPM", help="of the song (%(default)s)")
    parser.add_argument("--level", type=_share, default=0.5, metavar="E", help="0 to 1, its energy (%(default)s)")
    parser.add_argument("--like", default="", metavar="ID", help="much like this move; ID:2 is its second eight")
    parser.add_argument("--many", type=_many, default=10, metavar="N", help="how many (%(default)s)")
    parser.add_argument("--difficulty", metavar="D", help="beginner, intermediate or advanced at most; usually any")
    parser.add_argument("--style", metavar="S", help="traditional, modern or sensual; usually any")
    parser.set_defaults(run=_recommend, extra="oneshot")


def _features_command(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("clips", type=Path, help="the folder of the videos, and of what is in it")
    parser.add_argument(
        "--annotations", type=Path, metavar="FILE", help="what is danced in them, JSON (usually CLIPS/annotations.json)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("dancebits-features"), help="folder for the features (%(default)s)"
    )
    parser.add_argument("--rate", type=_rate, default=15.0, metavar="HZ", help="samples a second (%(default)s)")
    parser.set_defaults(run=_features, extra="oneshot")


def _add_wishes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--difficulty", metavar="D", help="beginner, intermediate or advanced at most; usually any")
    parser.add_argument("--energy", metavar="E", help="low, medium, high, or auto (usually): as the song's")
    parser.add_argument("--style", metavar="S", help="traditional, modern or sensual; usually any")
    parser.add_argument("--seed", metavar="N", help="another whole number is another, equally good choreography")
    parser.add_argument("--alternatives", metavar="M", help="1 to 5 different plans; the first becomes the video")
    parser.add_argument("--quality", metavar="Q", help="fast (usually), balanced or high_quality")


def _add_annotation(parser: argparse.ArgumentParser) -> None:
    """Of a clip for the library; its difficulty and energy are those of the wishes."""
    parser.add_argument("--clip-id", metavar="ID", help="of a clip for the library: its id there")
    parser.add_argument("--label", metavar="L", help="of a clip for the library: the category of its move")
    parser.add_argument("--tempo-bpm", metavar="BPM", help="of a clip for the library: its tempo, where known")
    parser.add_argument("--styles", metavar="S,S", help="of a clip for the library: what it suits")


def _up_command(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--state", type=Path, default=Path(".dancebits"), help="where it keeps its state (%(default)s)")
    parser.set_defaults(run=_up, extra="local")


def _upload_command(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="the video or the song")
    parser.add_argument(
        "--kind", choices=[*Kind], help="what is wanted of it: usually segment, or compare where there is a teacher"
    )
    parser.add_argument("--owner", default="me", help="whose job it is (%(default)s)")
    parser.add_argument("--watch", action="store_true", help="then watch the job")
    parser.add_argument(
        "--teacher", metavar="JOB", help="compare it with the video of this job, or of this name in the bucket"
    )
    _add_dancers(parser)
    parser.add_argument("--state", type=Path, default=Path(".dancebits"), help="that of `dancebits up` (%(default)s)")
    _add_options(parser)
    _add_wishes(parser)
    _add_annotation(parser)
    parser.set_defaults(run=_upload, extra="local")


def _watch_command(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("job", help="what `dancebits upload` printed")
    parser.add_argument("--state", type=Path, default=Path(".dancebits"), help="that of `dancebits up` (%(default)s)")
    parser.set_defaults(run=_watch, extra="local")


def _token_command(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("user", help="who is to ask")
    parser.add_argument("--state", type=Path, default=Path(".dancebits"), help="that of `dancebits up` (%(default)s)")
    parser.set_defaults(run=_token, extra="local")


def _add_dancers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dancers", metavar="N", help="2: a couple, lead with lead and follow with follow; usually 1")


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--min-probability", metavar="P", help="0 to 1, usually 0.5: higher, fewer boundaries, but surer ones"
    )
    parser.add_argument("--min-counts", metavar="N", help="1 to 32, usually 2: no move shorter than so many counts")
    parser.add_argument("--method", metavar="M", help="network (usually), or novelty: without a network, and nameless")


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        if LEAST_SECONDS <= (seconds := float(text)) <= MOST_SECONDS:
            return seconds
    raise argparse.ArgumentTypeError(f"{text!r} is no number from {LEAST_SECONDS} to {MOST_SECONDS}")


def _number(low: float, high: float, text: str) -> float:
    with contextlib.suppress(ValueError):
        if low <= (value := float(text)) <= high:
            return value
    raise argparse.ArgumentTypeError(f"{text!r} is no number from {low:g} to {high:g}")


def _tempo(text: str) -> float:
    return _number(40, 240, text)


def _share(text: str) -> float:
    return _number(0, 1, text)


def _rate(text: str) -> float:
    return _number(5, 60, text)


def _many(text: str) -> int:
    return int(_number(1, 1000, text))


def _seed(text: str) -> int:
    if text.isdecimal():
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 on")


def _options(chosen: argparse.Namespace, kind: Kind = Kind.SEGMENT) -> dict[str, str]:
    """What was asked for, as metadata of an upload. Raises BadOption, before anything is uploaded."""
    from shared.options import OPTIONS, read_options

    given = {name: value for name, value in vars(chosen).items() if name in WISHES and value is not None}
    if misplaced := sorted(given.keys() - OPTIONS[kind].keys()):
        raise BadOption(f"The option {misplaced[0]} is none of a job of kind {kind}.")
    read_options(kind, given)
    return given


# Each command imports what it needs: `dancebits up` must not wait for torch.


def _demo(chosen: argparse.Namespace) -> int:
    from infra.local.demo import demo

    return demo(chosen.out, chosen.seconds, chosen.seed, os.environ)


def _segment(chosen: argparse.Namespace) -> int:
    from infra.local import oneshot, show
    from shared.signals import ended_by_signals

    options = _options(chosen)
    clip = oneshot.clip_at(chosen.video)
    with ended_by_signals() as stop, show.progress() as watch:
        job = oneshot.run(clip, chosen.out, options, os.environ, watch, stop=stop)
    return show.outcome(job, chosen.out)


def _compare(chosen: argparse.Namespace) -> int:
    from infra.local import oneshot, show
    from shared.signals import ended_by_signals

    options = _options(chosen, Kind.COMPARE)
    student, teacher = oneshot.clip_at(chosen.student), oneshot.clip_at(chosen.model)
    with ended_by_signals() as stop, show.progress() as watch:
        job = oneshot.run(
            student, chosen.out, options, os.environ, watch, kind=Kind.COMPARE, teacher=teacher, stop=stop
        )
    return show.outcome(job, chosen.out)


def _choreograph(chosen: argparse.Namespace) -> int:
    from infra.local import oneshot, show
    from shared.signals import ended_by_signals

    options = _options(chosen, Kind.CHOREOGRAPH)
    song = oneshot.clip_at(chosen.song)
    if not chosen.library.is_dir():
        raise NotFound(f"There is no library {chosen.library}: `dancebits library build` makes one.")
    with ended_by_signals() as stop, show.progress("Opening the song") as watch:
        job = oneshot.run(
            song, chosen.out, options, os.environ, watch, kind=Kind.CHOREOGRAPH, library=chosen.library, stop=stop
        )
    return show.outcome(job, chosen.out)


def _build(chosen: argparse.Namespace) -> int:
    from infra.local import library
    from shared.signals import ended_by_signals

    with ended_by_signals():
        return library.build(chosen.clips, chosen.annotations, chosen.out, os.environ, anew=chosen.anew)


def _features(chosen: argparse.Namespace) -> int:
    from infra.local import features
    from shared.signals import ended_by_signals

    with ended_by_signals():
        return features.features(chosen.clips, chosen.annotations, chosen.out, os.environ, rate_hz=chosen.rate)


def _recommend(chosen: argparse.Namespace) -> int:
    from infra.local.recommending import Asked, recommend
    from shared.music import Role
    from shared.options import read_options
    from shared.wishes import Wishes

    if chosen.role not in [*Role]:
        raise BadOption(f"The role cannot be {chosen.role!r}: it must be one of {', '.join(Role)}.")
    asked = Asked(Role(chosen.role), chosen.tempo, chosen.level, chosen.like, chosen.many)
    return recommend(
        chosen.library, asked, Wishes.read(read_options(Kind.CHOREOGRAPH, _options(chosen, Kind.CHOREOGRAPH)))
    )


def _up(chosen: argparse.Namespace) -> int:
    from infra.local.system import serve

    return serve(chosen.state, os.environ)


def _upload(chosen: argparse.Namespace) -> int:
    from infra.local import client

    kind = Kind(chosen.kind) if chosen.kind else Kind.COMPARE if chosen.teacher else Kind.SEGMENT
    job_id = client.upload(chosen.file, chosen.owner, kind, _options(chosen, kind), chosen.state)
    print(job_id)
    return client.watch(job_id, chosen.state, is_new=True) if chosen.watch else 0


def _watch(chosen: argparse.Namespace) -> int:
    from infra.local import client

    return client.watch(chosen.job, chosen.state)


def _token(chosen: argparse.Namespace) -> int:
    from infra.local.system import Address
    from infra.local.tokens import unsigned_token
    from shared.ports import utc_now

    print(unsigned_token(chosen.user, Address.read(chosen.state).settings.project, utc_now()))
    return 0


def _complain(sentence: str) -> int:
    print(f"dancebits: {sentence}", file=sys.stderr)
    return 1


def _missing(error: ModuleNotFoundError, extra: str) -> str:
    package = (error.name or "").partition(".")[0]
    extra = "s3" if package == "boto3" else extra
    return f"The Python package {package!r} is missing. Install what this needs with: pip install '.[{extra}]'"


def _refused(error: OSError) -> str:
    """What the operating system did not let us do."""
    return ": ".join(str(part) for part in (error.filename, error.strerror or error) if part)


if __name__ == "__main__":
    sys.exit(main())
