"""What may go wrong, and whether trying again can help.

Every error has one of two fates. A permanent one is recorded on the job, with its code and its
sentence, and the message is acknowledged. A transient one is raised, so that the message is
delivered again. A class's docstring is its default sentence; that of a permanent error is shown
to the dancer.
"""

from __future__ import annotations

import inspect
from typing import ClassVar


class DanceBitsError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "ERROR"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or inspect.getdoc(type(self)))

    @property
    def message(self) -> str:
        return str(self)


class PermanentError(DanceBitsError):
    """This input can never succeed."""

    code = "FAILED"


class EmptyFile(PermanentError):
    """The file is empty. Please upload it again."""

    code = "EMPTY_FILE"


class NotAVideo(PermanentError):
    """This file is not a video that we can open. MP4, MOV, WebM, MKV and AVI work."""

    code = "NOT_A_VIDEO"


class NoPicture(PermanentError):
    """This file has sound but no picture. Please upload the video itself."""

    code = "NO_PICTURE"


class NoSound(PermanentError):
    """This file has no sound. Please upload a song."""

    code = "NO_SOUND"


class NotASong(PermanentError):
    """This file is not a song that we can open. MP3, M4A, WAV, FLAC and OGG work."""

    code = "NOT_A_SONG"


class NoBeat(PermanentError):
    """We could not hear a beat to dance to. Please choose a song with a steady rhythm."""

    code = "NO_BEAT"


class NoBlock(PermanentError):
    """This clip holds no whole eight counts of music with dancers to be seen. Please choose a longer one."""

    code = "NO_BLOCK"


class EmptyLibrary(PermanentError):
    """The move library holds no moves yet. Please add some first."""

    code = "EMPTY_LIBRARY"


class DamagedFile(PermanentError):
    """The video is damaged or was cut off while uploading. Please upload it again."""

    code = "DAMAGED_FILE"


class TooLong(PermanentError):
    """The video is too long. Please upload a shorter part of it."""

    code = "TOO_LONG"


class TooLarge(PermanentError):
    """The file is too large. Please upload a smaller one."""

    code = "TOO_LARGE"


class NobodyFound(PermanentError):
    """We could not see anybody dancing. Please film the whole body, in good light."""

    code = "NOBODY_FOUND"


class CannotCompare(PermanentError):
    """The two videos have less than a bar of dancing in common. Please film the same part of the dance."""

    code = "CANNOT_COMPARE"


class TeacherUnseen(PermanentError):
    """We could not see anybody dancing in the teacher's video. Please choose another."""

    code = "TEACHER_UNSEEN"


class NoTeacher(PermanentError):
    """The teacher's video is not there, or not any more. Please choose another."""

    code = "NO_TEACHER"


class UnfitTake(PermanentError):
    """A clip of the move library is missing, damaged or not in the form of the others."""

    code = "UNFIT_TAKE"

    def __init__(self, number: int, message: str | None = None) -> None:
        super().__init__(message)
        self.number = number
        """Of the take that cannot be shown, from 0 on."""


class ClipsGone(PermanentError):
    """None of the clips that this dance is made of can be shown any more. Please build the move library again."""

    code = "CLIPS_GONE"


class NoMoves(PermanentError):
    """The library has no move that is easy enough. Please choose a higher difficulty."""

    code = "NO_MOVES"


class SourceGone(PermanentError):
    """The upload was deleted or replaced while we worked on it."""

    code = "SOURCE_GONE"


class BadOption(PermanentError):
    """One of the options is not one that we know, or out of its range."""

    code = "BAD_OPTION"


class BadMessage(PermanentError):
    """The message cannot be read."""

    code = "BAD_MESSAGE"


class GaveUp(PermanentError):
    """We tried several times and could not finish this. We have been told, and will look into it."""

    code = "GAVE_UP"


class Cancelled(PermanentError):
    """The job was cancelled."""

    code = "CANCELLED"


class NotFound(PermanentError):
    """There is nothing by that name."""

    code = "NOT_FOUND"


class BadRequest(PermanentError):
    """The request cannot be read."""

    code = "BAD_REQUEST"


class Unauthenticated(PermanentError):
    """Please sign in."""

    code = "UNAUTHENTICATED"


class NotAllowed(PermanentError):
    """You may not do this."""

    code = "NOT_ALLOWED"


class WrongState(PermanentError):
    """This cannot be done with the job as it is."""

    code = "WRONG_STATE"


class QuotaExceeded(PermanentError):
    """This is more than one user may ask for. Please wait and try again."""

    code = "QUOTA_EXCEEDED"


class MissingSettings(PermanentError):
    """Settings are missing or unreadable."""

    code = "MISSING_SETTINGS"


class BadLabels(PermanentError):
    """The boundary labels cannot be read."""

    code = "BAD_LABELS"


class UnfitNetwork(PermanentError):
    """The segmentation network is not there, is damaged, or was made for another release."""

    code = "UNFIT_NETWORK"


class MissingTool(PermanentError):
    """A program that this command needs is not installed."""

    code = "MISSING_TOOL"


class TransientError(DanceBitsError):
    """Not now: try again later."""

    code = "TRY_AGAIN"


class StepBusy(TransientError):
    """Another worker holds the lease of this step."""

    code = "BUSY"


class LostLease(TransientError):
    """Another worker has taken this step over; what this one did no longer counts."""

    code = "LOST_LEASE"


class Conflict(TransientError):
    """Others kept writing the same record."""

    code = "CONFLICT"


class Unavailable(TransientError):
    """A service that we need does not answer."""

    code = "UNAVAILABLE"


class Interrupted(TransientError):
    """The worker was asked to stop."""

    code = "INTERRUPTED"
