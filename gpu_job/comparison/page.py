"""``comparison.html``: a comparison as one page that a dancer reads on a phone and plays with, whole in itself.

Nothing is loaded from elsewhere. Everything that comes from outside is escaped, and the page forbids itself
every script but its own. Knows no bucket and no job.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path

import numpy as np

from gpu_job.comparison import wording
from gpu_job.comparison.charts import MOST_LATE_MS, lateness_chart, places, score_chart
from gpu_job.comparison.findings import Comparison, Grade, Limb, Moment, MoveGrade
from gpu_job.comparison.page_data import page_data
from gpu_job.drawing import MOVE_COLOURS


@dataclass(frozen=True, slots=True)
class Names:
    """What the two videos are called, and the page."""

    student: str = "You"
    teacher: str = "Your teacher"
    title: str = "Your dance beside your teacher's"


def report_html(sections: Sequence[tuple[str, Comparison]], names: Names = Names()) -> str:
    """The page. One section is the usual case, and its title is not shown; a couple has two."""
    is_alone = len(sections) == 1
    content = "".join(
        _section(number, "" if is_alone else title, comparison) for number, (title, comparison) in enumerate(sections)
    )
    files_named = f"{escape(names.student)} · {escape(names.teacher)}"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_policy()}">
<meta name="referrer" content="no-referrer"><title>{escape(names.title)}</title>
<style>{_asset("page.css")}</style></head>
<body><header><h1>{escape(names.title)}</h1><p class="soft">{files_named}</p></header>
<main>{content}</main>
<script type="application/json" id="data">{page_data(sections)}</script>
<script>{_asset("page.js")}</script></body></html>
"""


@cache
def _asset(name: str) -> str:
    return Path(__file__).with_name(name).read_text("utf-8")


@cache
def _policy() -> str:
    digest = base64.b64encode(hashlib.sha256(_asset("page.js").encode()).digest()).decode()
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'"


def _section(number: int, title: str, comparison: Comparison) -> str:
    heading = f"<h2>{escape(title)}</h2>" if title else ""
    cards = (_worst(comparison), _moves(comparison), _limbs(comparison), _notes(comparison))
    return (
        f'<section data-section="{number}"{_label(title)}>{heading}<div class="columns">'
        f'<div class="watch">{_score(comparison)}{_player(comparison)}</div><div>{"".join(cards)}</div></div></section>'
    )


def _label(title: str) -> str:
    return f' aria-label="{escape(title)}"' if title else ""


def _score(comparison: Comparison) -> str:
    grade = comparison.overall
    if grade.score is None:
        told = f'<p class="sentence"><b>{wording.sentence(comparison)}</b></p><p>{wording.ADVICE}</p>'
        return f'<div class="card">{told}</div>'
    return f"""<div class="card"><div><span class="number">{wording.points(grade.score)}</span>
<span class="of">of 100</span></div>{_scale(grade)}<p class="sentence">{wording.sentence(comparison)}</p>
<p class="soft">{wording.certainty(grade)} {wording.SCALE}</p>{_facts(comparison)}</div>"""


def _scale(grade: Grade) -> str:
    low, high = grade.interval or (0.0, 0.0)
    return (
        f'<div class="scale {wording.band(grade.score)}" aria-hidden="true">'
        f'<i style="left:{low:.1f}%;width:{high - low:.1f}%"></i><b style="left:{grade.score:.1f}%"></b></div>'
        '<div class="ends" aria-hidden="true"><span>0</span><span>50</span><span>100</span></div>'
    )


def _facts(comparison: Comparison) -> str:
    lateness = comparison.overall.lateness
    counts = f"<small>{abs(lateness.counts):.2f} counts</small>" if lateness else "<small>cannot be told</small>"
    punctuality = f"{100 * (comparison.punctuality or 0):.0f} %"
    facts = (
        ("Form", wording.points(comparison.form), "<small>what you dance</small>"),
        ("× Punctuality", punctuality, "<small>when you dance it</small>"),
        ("Timing", wording.early_or_late(lateness), counts),
    )
    return f'<dl class="facts">{"".join(f"<div><dt>{a}</dt><dd>{b}{c}</dd></div>" for a, b, c in facts)}</dl>'


def _player(comparison: Comparison) -> str:
    return f"""<div class="card"><h3>Both in step</h3>
<div class="switch" role="group" aria-label="How to show both dancers">
<button type="button" data-is="beside" aria-pressed="true">Side by side</button>
<button type="button" data-is="over" aria-pressed="false">One over the other</button></div>
<canvas class="stage" data-is="stage" role="img" aria-label="Your teacher and you as stick figures"></canvas>
<div class="names" data-is="names"><span class="teacher">Your teacher</span><span class="student">You</span></div>
<div class="controls"><button type="button" class="play" data-is="play" aria-label="Play"></button>
<input type="range" data-is="slider" min="0" max="{len(comparison.clock) - 1}" value="0" aria-label="Moment">
<button type="button" class="speed" data-is="speed" aria-label="Speed">1×</button></div>
<p class="told" data-is="told"></p>{_curves(comparison)}</div>"""


def _curves(comparison: Comparison) -> str:
    if not np.isfinite(comparison.curves.score).any():
        return ""
    first_s, last_s = (float(edge) for edge in comparison.clock.teacher_s[[0, -1]])
    ends = f"<span>{wording.clock(first_s)}</span><span>{wording.clock(last_s)}</span>"
    return (
        '<div class="caption"><span>Score over time · tap to go there</span><span>100</span></div>'
        f"{_chart(score_chart(comparison))}{_strip(comparison)}"
        f'<div class="caption">{ends}</div>{_lateness(comparison)}'
    )


def _chart(svg: str, kind: str = "") -> str:
    return f'<div class="chart {kind}" data-is="chart">{svg}<span class="cursor" data-is="cursor"></span></div>'


def _lateness(comparison: Comparison) -> str:
    if not np.isfinite(comparison.curves.lateness_ms).any():
        return ""
    caption = f"<span>Late above the line, early below</span><span>± {MOST_LATE_MS:.0f} ms</span>"
    return f'<div class="caption">{caption}</div>{_chart(lateness_chart(comparison), "thin")}'


def _strip(comparison: Comparison) -> str:
    """The teacher's moves under the curve."""
    colours, moves = _colours(comparison), comparison.moves
    edges = [places(comparison, np.array([move.teacher.start_s, move.teacher.end_s])).tolist() for move in moves]
    pieces = (
        f'<span style="left:{100 * start:.2f}%;width:{100 * (end - start):.2f}%;--c:{colours[move.letter]}">'
        f"{escape(move.letter)}</span>"
        for move, (start, end) in zip(moves, edges, strict=True)
    )
    return f'<div class="strip" aria-hidden="true">{"".join(pieces)}</div>' if moves else ""


def _colours(comparison: Comparison) -> Mapping[str, str]:
    """A colour for each letter, in the order in which they come."""
    letters = dict.fromkeys(move.letter for move in comparison.moves)
    colours = ("#{:02x}{:02x}{:02x}".format(*MOVE_COLOURS[i % len(MOVE_COLOURS)]) for i in range(len(letters)))
    return dict(zip(letters, colours, strict=True))


def _worst(comparison: Comparison) -> str:
    if not comparison.worst:
        return ""
    moments = "".join(_moment(number, moment) for number, moment in enumerate(comparison.worst))
    return f'<div class="card"><h3>Look at these first</h3><div class="worst">{moments}</div></div>'


def _moment(number: int, moment: Moment) -> str:
    time, limb = wording.clock(moment.teacher_s), wording.limb_name(moment.limb)
    told = f"Go to {time}, where the {limb} differs most, score {wording.points(moment.score)}"
    return (
        f'<button type="button" data-point="{moment.point}" data-limb="{moment.limb}" aria-label="{told}">'
        f'<canvas data-worst="{number}" aria-hidden="true"></canvas><b>{time}</b>{limb}'
        f"<small>score {wording.points(moment.score)}</small></button>"
    )


def _moves(comparison: Comparison) -> str:
    if not comparison.moves:
        return ""
    colours = _colours(comparison)
    rows = "".join(_move(comparison, move, colours[move.letter]) for move in comparison.moves)
    return (
        '<div class="card"><h3>Move by move</h3><table><thead><tr><th>Move</th><th class="right">Counts</th>'
        f'<th class="right">Score</th><th class="right">Timing</th></tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _move(comparison: Comparison, move: MoveGrade, colour: str) -> str:
    clock = comparison.clock.teacher_s
    point = min(int(np.searchsorted(clock, move.teacher.start_s - 1e-6)), len(clock) - 1)
    return (
        f'<tr><td><button type="button" data-point="{point}"><span class="dot" style="--c:{colour}"></span>'
        f"{escape(move.label)}<small>{_where(move)}</small></button></td>"
        f'<td class="right">{wording.counts(move.counts)}</td>'
        f'<td class="right"><span class="value" style="--s:var(--{wording.band(move.grade.score)})">'
        f'{wording.points(move.grade.score)}</span></td><td class="right">'
        f"{wording.early_or_late(move.grade.lateness)}</td></tr>"
    )


def _where(move: MoveGrade) -> str:
    """Its letter, by which the strip names it, where that is not its name; and when it is."""
    letter = "" if move.label.endswith(f" {move.letter}") else f"{escape(move.letter)} · "
    return f"{letter if move.letter else ''}{wording.clock(move.teacher.start_s)}"


def _limbs(comparison: Comparison) -> str:
    bars = "".join(_bar(limb, grade) for limb, grade in comparison.limbs.items())
    return f'<div class="card"><h3>Part by part</h3><ul class="limbs">{bars}</ul></div>' if bars else ""


def _bar(limb: Limb, grade: Grade) -> str:
    low, high = grade.interval or (0.0, 0.0)
    inner = "" if grade.score is None else f'<i style="width:{grade.score:.1f}%"></i>'
    inner += f'<b style="left:{low:.1f}%;width:{high - low:.1f}%"></b>' if high > low else ""
    return (
        f'<li><span>{wording.limb_name(limb)}</span><span class="bar {wording.band(grade.score)}" aria-hidden="true">'
        f"{inner}</span><span>{wording.points(grade.score)}</span></li>"
    )


def _notes(comparison: Comparison) -> str:
    notes = [*_warned(comparison), *comparison.unseen]
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return f'<div class="card"><h3>Good to know</h3><ul class="notes">{items}</ul></div>' if notes else ""


def _warned(comparison: Comparison) -> Iterator[str]:
    return (notice.message for notice in comparison.warnings)
