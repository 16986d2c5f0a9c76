"""Files that are there whole, or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path


def write_whole(path: Path, content: bytes | Path) -> None:
    """``content``, or that of the file it names; the folder is made where it is not there.

    Whoever is stopped meanwhile leaves no half of a file under the name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    if isinstance(content, Path):
        shutil.copyfile(content, draft)
    else:
        draft.write_bytes(content)
    draft.replace(path)
