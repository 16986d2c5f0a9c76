"""Who may do what in Firestore: the security rules asked, on the emulator, for every case of the matrix.

    python -m tests.benchmarks.rules

A cell holds what is allowed of get, list, create, update and delete; ``!`` stands before what the
rules allow or deny against the matrix in tests/infra/gcp/matrix.py. Below, how much of the rules
was asked.
"""

from __future__ import annotations

from collections.abc import Mapping

from infra.local.emulators import firestore_emulator
from tests.benchmarks.machine import print_table
from tests.infra.gcp.asking import Database, Verdict
from tests.infra.gcp.matrix import CASES, COLLECTIONS, Case, Collection, What, Who, ask_everything, asked

PROJECT = "demo-rules"


def main() -> None:
    with firestore_emulator(PROJECT) as host:
        server = Database(host, PROJECT)
        assert server.load("firestore.rules") == []
        allowed = {str(case): asked(case, server) is Verdict.ALLOWED for case in CASES}
        rows = [[place.name, *(_cell(place, who, allowed) for who in Who)] for place in COLLECTIONS]
        print_table("What the rules allow", ["collection", *Who], rows)
        ask_everything(server)
        expressions = server.coverage()
    was_asked = sum(bool(each.values) for each in expressions)
    wrong = sum(case.is_allowed != allowed[str(case)] for case in CASES)
    print(f"{len(CASES)} cases, {wrong} against the matrix; {was_asked} of {len(expressions)} expressions asked")


def _cell(place: Collection, who: Who, allowed: Mapping[str, bool]) -> str:
    cases = [Case(place, who, what) for what in What]
    marks = [_mark(case, is_allowed=allowed[str(case)]) for case in cases]
    return " ".join(mark for mark in marks if mark) or "–"


def _mark(case: Case, *, is_allowed: bool) -> str:
    if is_allowed == case.is_allowed:
        return case.what if is_allowed else ""
    return f"!{case.what}" if is_allowed else f"!no {case.what}"


if __name__ == "__main__":
    main()
