"""From the samples of a recording to its features: one pass over the sound.

This module knows neither files nor messages; what was recorded may be music, speech or nothing.
"""

from __future__ import annotations

import numpy as np

from functions.audio import beats, meter
from functions.audio.onset import onset_strength
from functions.audio.spectrum import ONSET_BANDS, Clock, Spectrum, chroma, is_silence, log_mel, spectrum
from functions.audio.tempo import pulse, tempo
from shared.features import AudioFeatures
from shared.timeline import BeatGrid, FloatArray, Segment, sample_count

SAMPLE_RATE_HZ = 22_050  # the filterbanks' upper edge at 11 kHz: nothing that says when or what lies above

# Every band counts for the tempo. A beat is told from the half beat beside it, which güira and guitar
# play as loud, by the bass.
TEMPO_WEIGHTS = np.ones(ONSET_BANDS)
BASS_WEIGHTS = np.eye(ONSET_BANDS)[0]
BEAT_WEIGHTS = np.array([2.0, 1.0, 1.0, 1.0, 0.7])

LEAST_CONFIDENCE = 0.4  # below, what sounds like a beat is as often noise or speech
AUDIBLE = 1e-4  # of the loud passages' power, 40 dB below: where the music starts and ends


def extract(samples: FloatArray | None, sample_rate_hz: int, rate_hz: float, duration_s: float) -> AudioFeatures:
    """The features of a recording's sound.

    ``samples``    ``(N,)`` float32, mono, the first at 0 s; None where there is no sound. Silence is
                   taken for what is missing up to ``duration_s``, and what is beyond is left out.
    ``rate_hz``    of the features
    ``duration_s`` of the recording
    """
    clock = Clock(rate_hz, sample_count(duration_s, rate_hz))
    samples = _heard(samples, round(duration_s * sample_rate_hz))
    if clock.count == 0 or is_silence(samples):
        return AudioFeatures.silent(duration_s, rate_hz)
    sound = spectrum(samples, sample_rate_hz, clock)
    onset = onset_strength(sound.mel, clock, sample_rate_hz)
    confidence, grid = _rhythm(sound, onset, clock.onset_rate_hz)
    return AudioFeatures(
        rate_hz=rate_hz, duration_s=duration_s,
        log_mel=log_mel(sound.mel, clock), chroma=chroma(sound.chroma, clock),
        onset_rate_hz=clock.onset_rate_hz, onset=onset,
        tempo_bpm=beats.mean_bpm(grid.beats_s) if len(grid) else None, tempo_confidence=confidence, beats=grid,
    )  # fmt: skip


def _heard(samples: FloatArray | None, count: int) -> FloatArray:
    """The first ``count`` samples, silence for those that a damaged stream decoded to no number."""
    if samples is None:
        return np.zeros(0, np.float32)
    samples = samples[:count]
    return samples if np.isfinite(samples.sum()) else np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)


def _rhythm(sound: Spectrum, onset: FloatArray, rate_hz: float) -> tuple[float, BeatGrid]:
    """How sure a beat is, and the beats, none where it is not."""
    found = tempo(pulse(onset, rate_hz, TEMPO_WEIGHTS), pulse(onset, rate_hz, BASS_WEIGHTS), rate_hz)
    if found.confidence < LEAST_CONFIDENCE:
        return found.confidence, BeatGrid.none()
    curve = pulse(onset, rate_hz, BEAT_WEIGHTS)
    times_s = beats.refined(beats.track(curve, found.period), curve, rate_hz)
    times_s = beats.extended(times_s, playing(sound, rate_hz))
    if len(times_s) < 2:
        return 0.0, BeatGrid.none()
    return found.confidence, BeatGrid(times_s, meter.positions(times_s, sound, onset, rate_hz))


def playing(sound: Spectrum, rate_hz: float) -> Segment:
    """From the first to the last frame that is not silent beside the loud ones, in seconds."""
    power = sound.mel.sum(axis=1)
    loud = np.flatnonzero(power > AUDIBLE * np.quantile(power, 0.95))
    return Segment(float(loud[0]) / rate_hz, float(loud[-1] + 1) / rate_hz)
