"""Containers: what is in one, its pictures, its sound, pieces cut from it, and what is drawn anew (PyAV).

The only reader of media files. Time is seconds from the start of the container, its earliest stream,
as a player shows it. A source is a seekable file object or the path of a local file; what its own
``read`` and ``seek`` raise goes through untouched, so that a network that fails is never taken for a
damaged file. What is wrong with the file itself is a PermanentError. This package knows nothing of
dancing, jobs or buckets.
"""

from shared.media.clips import Scissors, cut
from shared.media.container import Source
from shared.media.encoding import Coding
from shared.media.films import film
from shared.media.joining import Take, check, joined
from shared.media.mezzanines import Form, Written, mezzanine
from shared.media.pictures import Frame, Picture, frames, shown_at
from shared.media.probing import AudioStream, Media, VideoStream, probe
from shared.media.soundtracks import Soundtrack
from shared.media.waveform import sound

__all__ = [
    "AudioStream",
    "Coding",
    "Form",
    "Frame",
    "Media",
    "Picture",
    "Scissors",
    "Soundtrack",
    "Source",
    "Take",
    "VideoStream",
    "Written",
    "check",
    "cut",
    "film",
    "frames",
    "joined",
    "mezzanine",
    "probe",
    "shown_at",
    "sound",
]
