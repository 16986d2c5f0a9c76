"""The pose model for tests: built once for the whole run, from the package index."""

import os
from functools import cache
from pathlib import Path

import pytest

from functions.pose.model import bundle
from shared.errors import MissingTool


@cache
def pose_model() -> Path:
    """The bundle in the user's cache; without a package index the test is skipped, and says so."""
    try:
        return bundle(None)
    except MissingTool as error:
        if os.environ.get("CI"):
            pytest.fail(f"the pose model is not optional here: {error}")
        pytest.skip(str(error))
