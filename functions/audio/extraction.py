"""From the samples of a recording to its features: one pass over the sound.

This module knows neither files nor messages; what was recorded may be music, speech or nothing.
"""

from __future__ import annotations

from functions.audio.hearing import heard
from functions.audio.spectrum import chroma, log_mel
from shared.features import AudioFeatures
from shared.timeline import FloatArray

SAMPLE_RATE_HZ = 22_050  # the filterbanks' upper edge at 11 kHz: nothing that says when or what lies above


def extract(samples: FloatArray | None, sample_rate_hz: int, rate_hz: float, duration_s: float) -> AudioFeatures:
    """The features of a recording's sound.

    ``samples``    ``(N,)`` float32, mono, the first at 0 s; None where there is no sound. Silence is
                   taken for what is missing up to ``duration_s``, and what is beyond is left out.
    ``rate_hz``    of the features
    ``duration_s`` of the recording
    """
    hearing = heard(samples, sample_rate_hz, rate_hz, duration_s)
    if hearing is None:
        return AudioFeatures.silent(duration_s, rate_hz)
    return AudioFeatures(
        rate_hz=rate_hz, duration_s=duration_s,
        log_mel=log_mel(hearing.spectrum.mel, hearing.clock), chroma=chroma(hearing.spectrum.chroma, hearing.clock),
        onset_rate_hz=hearing.rate_hz, onset=hearing.onset,
        tempo_bpm=hearing.tempo_bpm, tempo_confidence=hearing.tempo_confidence, beats=hearing.beats,
    )  # fmt: skip
