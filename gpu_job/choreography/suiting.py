"""Which categories of bachata moves suit which style and which section of a song.

Tables of opinion, in one place, to be corrected by teachers; nothing here is measured. They follow what is
taught: derecho (verse) is danced in basic steps and small figures, majao (chorus) in turns and figures, the
mambo in footwork and hits on the accents, a bridge in waves and rolls. A category that is not in the tables
suits everything half. Knows names, neither moves nor songs.
"""

from __future__ import annotations

from collections.abc import Mapping

from shared.library import Style
from shared.music import Role

NEUTRAL = 0.5
AT_HOME = 0.7
"""What suits this well may be said to meet a wish."""

_STYLES = (Style.TRADITIONAL, Style.MODERN, Style.SENSUAL)
_ROLES = (Role.INTRO, Role.VERSE, Role.CHORUS, Role.MAMBO, Role.BRIDGE, Role.OUTRO)

# In the order of _STYLES, then of _ROLES; 0 out of place … 1 at home.
_TABLE: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    #                   trad mod sens   intro verse chorus mambo bridge outro
    "arm_styling":     ((0.3, 0.7, 0.7), (0.3, 0.6, 0.8, 0.6, 0.7, 0.4)),
    "basic":           ((1.0, 0.5, 0.5), (0.8, 1.0, 0.5, 0.3, 0.6, 0.5)),
    "bodywaves":       ((0.1, 0.5, 1.0), (0.4, 0.6, 0.7, 0.3, 1.0, 0.6)),
    "bolero":          ((0.7, 0.3, 0.8), (0.6, 0.8, 0.4, 0.1, 0.9, 0.7)),
    "cross_body_lead": ((0.4, 1.0, 0.4), (0.2, 0.6, 0.9, 0.5, 0.4, 0.2)),
    "footwork":        ((1.0, 0.5, 0.2), (0.1, 0.4, 0.5, 1.0, 0.3, 0.1)),
    "golpes":          ((1.0, 0.5, 0.4), (0.1, 0.3, 0.6, 1.0, 0.4, 0.3)),
    "hammerlock":      ((0.3, 1.0, 0.5), (0.1, 0.6, 0.9, 0.5, 0.5, 0.2)),
    "headrolls":       ((0.1, 0.4, 1.0), (0.2, 0.4, 0.7, 0.4, 0.9, 0.5)),
    "hiprolls":        ((0.3, 0.5, 1.0), (0.3, 0.6, 0.7, 0.6, 0.8, 0.4)),
    "intros":          ((0.5, 0.5, 0.5), (1.0, 0.0, 0.0, 0.0, 0.0, 0.0)),
    "ladyturn":        ((0.5, 1.0, 0.5), (0.3, 0.7, 0.9, 0.6, 0.4, 0.3)),
    "outro":           ((0.5, 0.5, 0.5), (0.0, 0.0, 0.0, 0.0, 0.0, 1.0)),
    "shadow":          ((0.2, 0.7, 0.9), (0.2, 0.7, 0.8, 0.4, 0.7, 0.3)),
    "spin":            ((0.4, 1.0, 0.4), (0.1, 0.4, 0.9, 0.8, 0.3, 0.3)),
    "style":           ((0.4, 0.7, 0.7), (0.3, 0.6, 0.8, 0.7, 0.6, 0.4)),
}  # fmt: skip

LABELS: tuple[str, ...] = tuple(_TABLE)


def suits_style(label: str, style: Style) -> float:
    """0 … 1."""
    return _TABLE[label][0][_STYLES.index(style)] if label in _TABLE else NEUTRAL


def suits_role(label: str, role: Role) -> float:
    """0 … 1."""
    return _TABLE[label][1][_ROLES.index(role)] if label in _TABLE else NEUTRAL
