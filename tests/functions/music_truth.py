"""Whole songs whose tempo, beats, counts and sections are known, as the conditions of a band make them.

A song is a plan of sections, each with its own chords, strokes and players, laid on beats that may drift,
begin with a pick-up and lose or gain half a bar. Players are not exact, melodies differ from verse to
verse and keys from song to song. The sounds are those of the sample.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from functions.audio.extraction import SAMPLE_RATE_HZ
from infra.local.sample.song import EIGHTHS, MARTILLO, QUARTERS, Strokes, plucked, scraped
from shared.music import COUNTS_PER_EIGHT, Music, Role
from shared.timeline import BEATS_PER_BAR, BeatGrid, FloatArray, IntArray, Segment

BROKEN_BEATS = 2  # a break of bachata: half a bar
TIMING_S = 0.006  # how far a player strays from the beat, standard deviation
LEVEL = 0.12  # and from her loudness
MIX = 0.3  # and how far bands differ in the loudness of their players
ONE_PROGRESSION = 0.33  # share of the songs whose verse and chorus have the same chords
FILLS, CRASHES, STOPS = (
    0.5,
    0.4,
    0.5,
)  # share of the sections that end in a fill or begin with a crash; of breaks that are silent

# Chords as semitones above the key's tonic, minor where negative is written as (root, third).
PROGRESSIONS = (
    ((0, 3), (8, 4), (3, 4), (10, 4)),  # Am F C G
    ((0, 3), (10, 4), (8, 4), (7, 4)),  # Am G F E
    ((5, 3), (10, 4), (3, 4), (8, 4)),  # Dm G C F
    ((0, 3), (5, 3), (7, 4), (0, 3)),  # Am Dm E Am
    ((3, 4), (10, 4), (0, 3), (8, 4)),  # C G Am F
    ((0, 3), (7, 4), (7, 4), (0, 3)),  # Am E E Am
    ((8, 4), (10, 4), (0, 3), (0, 3)),  # F G Am Am
    ((5, 3), (0, 3), (7, 4), (0, 3)),  # Dm Am E Am
)
Chord = tuple[int, int]

SYNCOPATED: Strokes = ((0.0, 1.0), (1.5, 0.8), (2.5, 0.7), (3.0, 0.9))
BASS: Strokes = ((0.0, 1.0), (1.5, 0.6), (2.0, 0.75), (3.0, 0.75))
LOW_BONGO: Strokes = ((3.0, 1.0), (3.5, 0.3))
NOTHING: Strokes = ()


@dataclass(frozen=True, slots=True)
class Style:
    """What the players do in a section. Gains beside one another, 0 where one is silent."""

    guira: Strokes
    bongo: float
    bass: Strokes
    arpeggio: float
    lead: float
    voice: float


STYLES = {
    Role.INTRO: Style(EIGHTHS, 0.0, NOTHING, 0.5, 0.9, 0.0),
    Role.VERSE: Style(EIGHTHS, 0.8, BASS, 0.6, 0.0, 0.6),
    Role.CHORUS: Style(QUARTERS, 1.0, BASS, 0.8, 0.3, 0.9),
    Role.MAMBO: Style(QUARTERS, 1.2, SYNCOPATED, 0.5, 1.3, 0.0),
    Role.BRIDGE: Style(NOTHING, 0.0, ((0.0, 0.8),), 0.5, 0.0, 0.7),
    Role.OUTRO: Style(EIGHTHS, 0.6, BASS, 0.4, 0.7, 0.0),
}

# Sections by their first letter and length in bars, in orders that bachatas take.
ROLES = {role[0]: role for role in Role}
FORMS: tuple[tuple[tuple[Role, int], ...], ...] = tuple(
    tuple((ROLES[part[0]], int(part[1:])) for part in form.split())
    for form in (
        "i8 v16 c8 v8 c8 m8 c8 o4",
        "i4 v8 c8 m8 v8 c8 b8 c8 m8",
        "i8 v8 c16 v8 c16 m8 o8",
        "v16 c8 m16 v16 c8 m8",
    )
)


@dataclass(frozen=True, slots=True)
class Condition:
    """What makes a song hard.

    ``drift``    how much the tempo grows over the song, as a share
    ``breaks``   how many sections end in half a bar, or have half a bar more
    ``pick_up``  beats before the first 1
    ``half_time`` whether the bongo plays its pattern over two bars
    ``noise``    RMS of what lies over the music
    """

    name: str = "plain"
    drift: float = 0.0
    breaks: int = 0
    pick_up: int = 0
    half_time: bool = False
    noise: float = 0.002


CONDITIONS = (
    Condition(),
    Condition("drift", drift=0.04),
    Condition("breaks", breaks=3),
    Condition("pick-up", pick_up=3),
    Condition("half-time bongo", half_time=True),
    Condition("noise", noise=0.05),
    Condition("all together", 0.03, 2, 2, half_time=True, noise=0.03),
)


@dataclass(frozen=True, slots=True)
class Passage:
    """A section as it is true: its first beat, and that behind its last."""

    role: Role
    group: int
    first_beat: int
    end_beat: int


@dataclass(frozen=True, slots=True, eq=False)
class SongTruth:
    """A song and what is true of it. ``counts`` ``(B,)`` 1 … 8"""

    name: str
    samples: FloatArray
    tempo_bpm: float
    beats: BeatGrid
    counts: IntArray
    passages: tuple[Passage, ...]

    @property
    def duration_s(self) -> float:
        return len(self.samples) / SAMPLE_RATE_HZ

    @property
    def boundaries_s(self) -> FloatArray:
        """Where one section follows another."""
        return self.beats.beats_s[[passage.first_beat for passage in self.passages[1:]]]

    def segment(self, passage: Passage) -> Segment:
        start_s, end_s = self.beats.time_of([passage.first_beat, passage.end_beat])
        return Segment(float(start_s), float(end_s))


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a song: its first beat, how many it has, and what is played from which chord."""

    first_beat: int
    beats: int
    number: int  # in its section
    last: bool  # of it
    role: Role
    chord: Chord


def song(seed: int, condition: Condition = CONDITIONS[0], tempo_bpm: float | None = None) -> SongTruth:
    """A song of one to two and a half minutes; the same arguments give the same samples."""
    rng = np.random.default_rng([seed, *condition.name.encode()])
    tempo_bpm = float(rng.uniform(100, 165)) if tempo_bpm is None else tempo_bpm
    form = FORMS[seed % len(FORMS)]
    bars = list(_bars(form, condition, rng))
    beats_s = _beats(bars[-1].first_beat + bars[-1].beats, tempo_bpm, float(rng.uniform(0.1, 1.5)), condition.drift)
    counts, positions = _counted(bars, len(beats_s))
    beats = BeatGrid(beats_s, positions)
    samples = Player(beats, tempo_bpm, condition, rng).play(bars)
    return SongTruth(
        f"{condition.name} {seed}, {tempo_bpm:.1f} BPM", samples, tempo_bpm, beats, counts, _passages(bars)
    )


def _bars(form: Sequence[tuple[Role, int]], condition: Condition, rng: np.random.Generator) -> Iterator[Bar]:
    """The bars of the form; broken ones close some of its sections."""
    place = _progressions(rng)
    broken = set(rng.permutation(np.arange(len(form) - 1))[: condition.breaks].tolist())
    beat = condition.pick_up
    for index, (role, length) in enumerate(form):
        lengths = [BEATS_PER_BAR] * length
        if index in broken:
            lengths[-1:] = [BROKEN_BEATS] if rng.random() < 0.5 else [BEATS_PER_BAR, BROKEN_BEATS]
        for number, beats in enumerate(lengths):
            yield Bar(beat, beats, number, number == len(lengths) - 1, role, place[role][number % len(place[role])])
            beat += beats


def _progressions(rng: np.random.Generator) -> dict[Role, tuple[Chord, ...]]:
    """Chords of each part; in every third song chorus and verse have the same."""
    chords = rng.permutation(len(PROGRESSIONS))
    place = {role: PROGRESSIONS[chords[index]] for index, role in enumerate(Role)}
    return place | ({Role.CHORUS: place[Role.VERSE]} if rng.random() < ONE_PROGRESSION else {})


def _styles(rng: np.random.Generator) -> dict[Role, Style]:
    """How this band plays its parts: each player louder or softer than usual, in each part anew."""

    def varied(gain: float) -> float:
        return gain * float(np.exp(MIX * rng.standard_normal()))

    return {
        role: replace(
            style, bongo=varied(style.bongo), arpeggio=varied(style.arpeggio), lead=varied(style.lead),
            voice=varied(style.voice),
        )
        for role, style in STYLES.items()
    }  # fmt: skip


def _beats(count: int, tempo_bpm: float, first_beat_s: float, drift: float) -> FloatArray:
    """Beats whose tempo grows evenly from 1 - drift/2 to 1 + drift/2 of ``tempo_bpm``."""
    share = np.linspace(-0.5, 0.5, count)
    period_s = 60 / tempo_bpm / (1 + drift * share)
    return first_beat_s + np.concatenate([[0.0], np.cumsum(period_s)[:-1]])


def _counted(bars: Sequence[Bar], count: int) -> tuple[IntArray, IntArray]:
    """Counts and positions of all beats; each section begins on 1, and the pick-up ends on 8."""
    counts = np.arange(count) - bars[0].first_beat
    for bar in bars:
        counts[bar.first_beat : bar.first_beat + bar.beats] = BEATS_PER_BAR * (bar.number % 2) + np.arange(bar.beats)
    counts = counts % COUNTS_PER_EIGHT
    return counts + 1, counts % BEATS_PER_BAR + 1


def _passages(bars: Sequence[Bar]) -> tuple[Passage, ...]:
    starts = [bar for bar in bars if bar.number == 0]
    ends = [*(bar.first_beat for bar in starts[1:]), bars[-1].first_beat + bars[-1].beats]
    groups = list(dict.fromkeys(bar.role for bar in starts))
    return tuple(
        Passage(bar.role, groups.index(bar.role), 0 if bar is starts[0] else bar.first_beat, end)
        for bar, end in zip(starts, ends, strict=True)
    )


@dataclass(slots=True, eq=False)
class Player:
    """All players of one song, over a floor of noise."""

    beats: BeatGrid
    tempo_bpm: float
    condition: Condition
    rng: np.random.Generator
    mix: FloatArray = field(init=False)
    key: int = field(init=False)
    melodies: dict[Role, IntArray] = field(init=False)
    styles: dict[Role, Style] = field(init=False)

    def __post_init__(self) -> None:
        count = int((self.beats.beats_s[-1] + 60 / self.tempo_bpm + 0.8) * SAMPLE_RATE_HZ)
        self.mix = (self.condition.noise * self.rng.standard_normal(count)).astype(np.float32)
        self.key = int(self.rng.integers(-5, 7))
        self.styles = _styles(self.rng)
        self.melodies = {role: self.rng.integers(0, 5, 16) for role in Role}

    def play(self, bars: Sequence[Bar]) -> FloatArray:
        """``(N,)`` float32, at most 0.8"""
        self._pick_up(bars[0])
        for bar in bars:
            style = self.styles[bar.role]
            self._voice(bar, style)
            if bar.beats < BEATS_PER_BAR and self.rng.random() < STOPS:
                continue
            self._drums(bar, style)
            self._accents(bar)
            self._bass(bar, style)
            self._guitars(bar, style)
        return (0.8 * self.mix / max(1.0, float(np.abs(self.mix).max()))).astype(np.float32)

    def _pick_up(self, first: Bar) -> None:
        """The guitar alone leads into the first bar."""
        for half in range(2 * first.first_beat):
            self._strike(plucked(SAMPLE_RATE_HZ, self._hz(12 + half % 5), 0.5, decay_per_s=6), half / 2, 0.3)

    def _drums(self, bar: Bar, style: Style) -> None:
        scrape, high = scraped(SAMPLE_RATE_HZ, self.rng), plucked(SAMPLE_RATE_HZ, 420, 0.12, decay_per_s=45)
        low = plucked(SAMPLE_RATE_HZ, 210, 0.25, decay_per_s=18)
        self._strokes(bar, style.guira, scrape, 0.35)
        self._strokes(bar, self._at_pace(bar, MARTILLO), high, 0.5 * style.bongo)
        self._strokes(bar, self._at_pace(bar, LOW_BONGO), low, 0.8 * style.bongo)

    def _accents(self, bar: Bar) -> None:
        """A crash on the first beat of a section, a fill of the bongo in its last bar."""
        noise = self.rng.standard_normal(SAMPLE_RATE_HZ)
        crash = np.diff(noise, prepend=0) * np.exp(-4 * np.arange(len(noise)) / SAMPLE_RATE_HZ)
        if bar.number == 0 and self.rng.random() < CRASHES:
            self._strike(crash.astype(np.float32), bar.first_beat, 0.12)
        if bar.last and self.rng.random() < FILLS:
            skin = plucked(SAMPLE_RATE_HZ, float(self.rng.uniform(180, 400)), 0.15, decay_per_s=30)
            self._strokes(bar, tuple((2 + step / 4, 1.0) for step in range(8)), skin, 0.6)

    def _at_pace(self, bar: Bar, strokes: Strokes) -> Strokes:
        """The bongo's pattern, over two bars where it plays in half time."""
        if not self.condition.half_time:
            return strokes
        late = BEATS_PER_BAR * (bar.number % 2)
        return tuple((2 * beat - late, gain) for beat, gain in strokes if 0 <= 2 * beat - late < BEATS_PER_BAR)

    def _bass(self, bar: Bar, style: Style) -> None:
        hz = self._hz(bar.chord[0]) / 4
        for beat, gain in style.bass:
            held = 0.95 if beat == 0 else 0.4
            tone = plucked(SAMPLE_RATE_HZ, hz if hz > 50 else 2 * hz, held * 60 / self.tempo_bpm, decay_per_s=2.5)
            self._strokes(bar, ((beat, gain),), tone, 0.8)

    def _guitars(self, bar: Bar, style: Style) -> None:
        root, third = bar.chord
        tones = (root, root + third, root + 7, root + 12)
        for index, (beat, gain) in enumerate(EIGHTHS):
            tone = plucked(SAMPLE_RATE_HZ, self._hz(tones[index % 4]), 0.6, decay_per_s=6)
            self._strokes(bar, ((beat, gain),), tone, 0.4 * style.arpeggio)
            riff = tones[self.melodies[bar.role][index + 8 * (bar.number % 2)] % 4] + 12
            lead = plucked(SAMPLE_RATE_HZ, self._hz(riff), 0.3, decay_per_s=8)
            self._strokes(bar, ((beat, 1.0),), lead, 0.35 * style.lead)

    def _voice(self, bar: Bar, style: Style) -> None:
        """Sung tones of the chord; a chorus has one melody, a verse another each time."""
        if not style.voice:
            return
        root, third = bar.chord
        steps = self.rng.integers(0, 5, 4) if bar.role is Role.VERSE else self.melodies[bar.role][:4]
        for beat, step in enumerate(steps):
            tone = (0, third, 7, 12, 14)[step] + root
            length_s = float(self.rng.choice([0.45, 0.9])) * 60 / self.tempo_bpm
            late = float(self.rng.choice([0.0, 0.0, 0.5]))
            self._strokes(bar, ((beat + late, 1.0),), _sung(self._hz(tone), length_s, self.rng), 0.25 * style.voice)

    def _hz(self, semitone: int) -> float:
        return float(220 * 2 ** ((semitone + self.key) / 12))

    def _strokes(self, bar: Bar, strokes: Strokes, tone: FloatArray, gain: float) -> None:
        for beat, loudness in strokes:
            if beat < bar.beats and gain:
                self._strike(tone, bar.first_beat + beat, gain * loudness)

    def _strike(self, tone: FloatArray, beat: float, gain: float) -> None:
        time_s = float(self.beats.time_of(beat)) + TIMING_S * self.rng.standard_normal()
        start = max(0, round(time_s * SAMPLE_RATE_HZ))
        tone = tone[: max(0, len(self.mix) - start)]
        self.mix[start : start + len(tone)] += tone * np.float32(gain * np.exp(LEVEL * self.rng.standard_normal()))


def _sung(hz: float, length_s: float, rng: np.random.Generator) -> FloatArray:
    """Harmonics under a formant, with vibrato and a soft start."""
    time_s = np.arange(int(length_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    phase = 2 * np.pi * hz * time_s + 0.15 * hz / 40 * np.sin(2 * np.pi * 5.5 * time_s + rng.uniform(0, 6))
    formant_hz = rng.uniform(500, 1100)
    weights = {k: np.exp(-(((k * hz - formant_hz) / 500) ** 2)) + 0.1 for k in range(1, 9)}
    tone = sum(weight * np.sin(k * phase) for k, weight in weights.items())
    return (tone * np.clip(time_s / 0.04, 0, 1) * np.clip((length_s - time_s) / 0.05, 0, 1)).astype(np.float32)


def alternated(condition: Condition, seed: int) -> Condition:
    """The condition with the sign of its drift and the length of its pick-up as the seed says."""
    pick_up = 1 + (seed + condition.pick_up) % (COUNTS_PER_EIGHT - 1) if condition.pick_up else 0
    return replace(condition, drift=condition.drift * (-1) ** seed, pick_up=pick_up)


def boundary_f(found_s: FloatArray, true_s: FloatArray, tolerance_s: float = 3.0) -> float:
    """F of boundaries, each paired with one of the other kind at most."""
    hits, free = 0, list(true_s)
    for time_s in found_s:
        near = min(free, key=lambda other: abs(other - time_s), default=np.inf)
        if abs(near - time_s) <= tolerance_s:
            free.remove(near)
            hits += 1
    return 2 * hits / max(len(found_s) + len(true_s), 1)


def count_agreement(found_s: FloatArray, found: IntArray, truth_s: FloatArray, true: IntArray) -> float:
    """Share of the true beats beside which a found one, within 70 ms, has their count."""
    if not len(found_s):
        return 0.0
    nearest = np.abs(truth_s[:, None] - found_s).argmin(axis=1)
    near = np.abs(truth_s - found_s[nearest]) <= 0.07
    return float((near & (found[nearest] == true)).mean())


def role_share(found: Music, truth: SongTruth) -> float:
    """Share of the true beats whose nearest found beat stands in a section of their role."""
    if not found.sections:
        return 0.0
    named, true = (
        np.array([part.role for part in parts for _ in range(part.first_beat, part.end_beat)])
        for parts in (found.sections, truth.passages)
    )
    nearest = np.abs(truth.beats.beats_s[:, None] - found.beats.beats_s).argmin(axis=1)
    return float((named[nearest] == true).mean())
