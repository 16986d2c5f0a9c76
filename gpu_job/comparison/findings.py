"""What a comparison of two dances takes and gives. Values only, no method.

Seconds are those of the recording they are named for: ``teacher_s`` of the teacher's, ``student_s`` of the student's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from gpu_job.bodies import Limb
from gpu_job.notice import Notice
from shared.features import AudioFeatures, PoseFeatures
from shared.timeline import FloatArray, Segment


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """One recording of a dance: what was seen, smoothed, and what was heard."""

    pose: PoseFeatures
    audio: AudioFeatures


class AlignedBy(StrEnum):
    """What told which moment of one recording belongs to which of the other."""

    SOUND = "sound"
    """Both play the same recording of a song: good to a hundredth of a second."""
    BEATS = "beats"
    """Both have a beat, of different songs: counts were laid on counts as the motion fits best."""
    MOTION = "motion"
    """One has no beat: the motion alone. It cannot tell a dancer who is late from a recording that starts late."""


@dataclass(frozen=True, slots=True, eq=False)
class Clock:
    """Moments that belong together, evenly spaced on the teacher's counts. Each ``(P,)``.

    ``beats``     the teacher's counts from the first that both dance, a multiple of 1 / POINTS_PER_BEAT
    ``teacher_s`` ``student_s`` when that is in either recording, seconds, strictly increasing
    """

    beats: FloatArray
    teacher_s: FloatArray
    student_s: FloatArray

    def __len__(self) -> int:
        return len(self.beats)


@dataclass(frozen=True, slots=True)
class Alignment:
    """How the student's recording was laid on the teacher's.

    ``offset_s``   when in the student's recording the teacher's begins; negative where it began before it
    ``tempo_ratio``the student's tempo over the teacher's
    ``confidence`` 0 … 1
    ``mirrored``   left and right were exchanged: a mirror, a selfie camera or a room danced the other way round
    ``turned_deg`` by how much the student, once mirrored if ``mirrored``, faces further to the left in the picture
                   than the teacher, −180 … 180
    ``rolled_deg`` by how much the student's picture lay on its side: 0, 90, 180 or 270, clockwise
    ``teacher_rolled_deg`` likewise the teacher's
    """

    by: AlignedBy
    offset_s: float
    tempo_ratio: float
    confidence: float
    mirrored: bool
    turned_deg: float
    rolled_deg: int
    teacher_rolled_deg: int = 0


@dataclass(frozen=True, slots=True)
class Lateness:
    """How long after the teacher the student does the same: above 0 late, below 0 early."""

    ms: float
    counts: float


@dataclass(frozen=True, slots=True)
class Grade:
    """How near the student was in some stretch or part.

    ``score``    0 … 100: 0 is what an unrelated dancer gets, 100 the teacher again; None where too little was seen
    ``interval`` between which the score lies with 90 % probability; None without a score, and of less than four bars
    ``seen``     0 … 1, the share of it in which both could be seen
    ``lateness`` None where it cannot be told, as of another dance
    """

    score: float | None
    interval: tuple[float, float] | None
    seen: float
    lateness: Lateness | None = None


@dataclass(frozen=True, slots=True)
class MoveGrade:
    """A grade for one of the teacher's moves.

    ``label``   its name in words, or ``move A``
    ``letter``  the same where she repeats a move
    ``student`` the stretch in which the student danced it
    """

    label: str
    letter: str
    counts: float | None
    teacher: Segment
    student: Segment
    grade: Grade
    limbs: dict[Limb, Grade]


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment in which the student was far from the teacher. ``point`` is its place on the clock."""

    point: int
    teacher_s: float
    student_s: float
    score: float
    limb: Limb


@dataclass(frozen=True, slots=True, eq=False)
class Bodies:
    """Both dancers on the clock, to be drawn over each other: same size, same facing, hips at the origin.

    ``teacher`` ``student`` ``(P, 33, 3)``, torso lengths, x right, y down, z away; NaN where unseen
    ``is_flat`` no depth was known: z is 0
    """

    teacher: FloatArray
    student: FloatArray
    is_flat: bool

    def at(self, point: int) -> Bodies:
        """Both at one point of the clock."""
        return replace(self, teacher=self.teacher[[point]], student=self.student[[point]])


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """How it went, at the points of the clock. Each ``(P,)``.

    ``score``       0 … 100, NaN where too little was seen
    ``lateness_ms`` NaN where it cannot be told
    """

    score: FloatArray
    lateness_ms: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """How near a student was to a teacher.

    ``overall`` of the whole; its score is ``form`` (0 … 100, what was danced, whenever) less what being
                early or late takes away: ``score = form × punctuality`` with ``punctuality`` 0 … 1. Both are
                None without a score
    ``moves``   in the teacher's order, those that both dance
    ``worst``   three at most, worst first, apart from one another
    ``unseen``  what could not be judged, a sentence each
    """

    alignment: Alignment
    clock: Clock
    overall: Grade
    form: float | None
    punctuality: float | None
    limbs: dict[Limb, Grade]
    moves: tuple[MoveGrade, ...]
    worst: tuple[Moment, ...]
    curves: Curves
    bodies: Bodies
    unseen: tuple[str, ...]
    method: str
    warnings: tuple[Notice, ...]
