"""The matrix of who may do what leaves out no collection that there is. Asks no emulator."""

import re

from tests.contracts.schema import SCHEMA
from tests.infra.gcp.matrix import ASKINGS, COLLECTIONS

HEADINGS = re.findall(r"^## `(\w+/[^`]+)`", SCHEMA.read_text(), flags=re.MULTILINE)


def collection(path: str) -> tuple[str, ...]:
    """The names of a document's collections, from the outermost: every other part of its path."""
    return tuple(path.split("/")[::2])


def test_everybody_asks_for_a_document_of_each_collection_that_the_schema_describes():
    described = {collection(heading) for heading in HEADINGS}
    assert {("jobs",), ("jobs", "steps"), ("quota", "slots"), ("users", "devices")} <= described
    assert described <= {collection(each.document) for each in COLLECTIONS}


def test_each_is_asked_for_wherever_it_lies_as_well():
    assert {collection(heading)[-1] for heading in HEADINGS} <= {each.collection for each in ASKINGS if each.everywhere}
