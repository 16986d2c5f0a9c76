"""Function ``dispatch``: a job with all its features enters the GPU's backlog."""

import os
from functools import cache, partial

import functions_framework
from cloudevents.http import CloudEvent

from functions.dispatch.handler import handle
from shared.gcp import connected
from shared.step import deliver

ports = cache(partial(connected, os.environ))


@functions_framework.cloud_event
def on_features_ready(event: CloudEvent) -> None:
    deliver(event, handle, ports())
