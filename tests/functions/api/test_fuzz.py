"""Requests that schemathesis makes of the OpenAPI document, through the real framework."""

import sys
from pathlib import Path
from types import ModuleType

import functions_framework
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS

import functions.api
from tests.functions.api.support import App
