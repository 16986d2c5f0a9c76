"""Tests that need Java and Google's emulators are skipped without them, aloud; where CI is set they fail instead."""

import os

import pytest

from infra.local.emulators import firestore_program, pubsub_program
from shared.errors import MissingTool


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    if item.get_closest_marker("emulator"):
        try:
            firestore_program("demo-dancebits", 0)
            pubsub_program(0)
        except MissingTool as error:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))
