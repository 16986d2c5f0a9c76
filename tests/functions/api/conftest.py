"""The function behind the real framework."""

import sys
from pathlib import Path
from types import ModuleType

import functions_framework
import pytest

import functions.api


@pytest.fixture
def serve(monkeypatch):
    """Makes the WSGI application of the function, on a service."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setitem(sys.modules, "main", ModuleType("main"))  # the framework's name for it; put back afterwards

    def serve(service):
        source = Path(functions.api.__file__).with_name("main.py")
        app = functions_framework.create_app("on_api_request", str(source), "http")
        monkeypatch.setattr(sys.modules["main"], "service", lambda: service)
        return app

    return serve
