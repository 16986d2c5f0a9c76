"""What every listener of ours begins with: one spectrum, the onsets in it, the tempo, the beats and the bars.

This module knows neither files nor what its findings are for; what was recorded may be music, speech or nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from functions.audio import beats, meter
from functions.audio.onset import onset_strength
from functions.audio.spectrum import ONSET_BANDS, Clock, Spectrum, is_silence, spectrum
from functions.audio.tempo import pulse, tempo
from shared.timeline import BeatGrid, FloatArray, Segment, sample_count

# Every band counts for the tempo. A beat is told from the half beat beside it, which güira and guitar
# play as loud, by the bass.
TEMPO_WEIGHTS = np.ones(ONSET_BANDS)
BASS_WEIGHTS = np.eye(ONSET_BANDS)[0]
BEAT_WEIGHTS = np.array([2.0, 1.0, 1.0, 1.0, 0.7])

LEAST_CONFIDENCE = 0.4  # below, what sounds like a beat is as often noise or speech
AUDIBLE = 1e-4  # of the loud passages' power, 40 dB below: where the music starts and ends


@dataclass(frozen=True, slots=True, eq=False)
class Hearing:
    """A recording that is not silent.

    ``onset``            ``(N, ONSET_BANDS)`` ≥ 0, on the frames of ``clock``
    ``tempo_confidence`` 0 … 1 that there is a beat
    ``beats``            none where there is no beat
    """

    clock: Clock
    spectrum: Spectrum
    onset: FloatArray
    tempo_confidence: float
    beats: BeatGrid

    @property
    def rate_hz(self) -> float:
        """Frames a second."""
        return self.clock.onset_rate_hz

    @property
    def tempo_bpm(self) -> float | None:
        return beats.mean_bpm(self.beats.beats_s) if len(self.beats) else None


def heard(samples: FloatArray | None, sample_rate_hz: int, rate_hz: float, duration_s: float) -> Hearing | None:
    """What there is to hear up to ``duration_s``; None in silence.

    ``samples`` ``(N,)`` float32, mono, the first at 0 s; None where there is no sound. Silence is taken for
    what is missing, and what is beyond is left out.
    ``rate_hz`` that the frames are a whole multiple of
    """
    clock = Clock(rate_hz, sample_count(duration_s, rate_hz))
    samples = _sound(samples, round(duration_s * sample_rate_hz))
    if clock.count == 0 or is_silence(samples):
        return None
    found = spectrum(samples, sample_rate_hz, clock)
    onset = onset_strength(found.mel, clock, sample_rate_hz)
    confidence, grid = _beats(found, onset, clock.onset_rate_hz)
    return Hearing(clock, found, onset, confidence, grid)


def _sound(samples: FloatArray | None, count: int) -> FloatArray:
    """The first ``count`` samples, silence for those that a damaged stream decoded to no number."""
    if samples is None:
        return np.zeros(0, np.float32)
    samples = samples[:count]
    return samples if np.isfinite(samples.sum()) else np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)


def _beats(sound: Spectrum, onset: FloatArray, rate_hz: float) -> tuple[float, BeatGrid]:
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
