"""What docs/schema.md says about documents."""

import re
from pathlib import Path

SCHEMA = Path(__file__).parents[2] / "docs" / "schema.md"


def described_fields() -> dict[str, set[str]]:
    """The first column of the table under each heading that names a document or a map."""
    sections = re.split(r"^#+ `([^`]+)`.*$", SCHEMA.read_text(), flags=re.MULTILINE)[1:]
    pairs = zip(sections[::2], sections[1::2], strict=True)
    return {name: set(re.findall(r"^\| `(\w+)` \|", body, flags=re.MULTILINE)) for name, body in pairs}
