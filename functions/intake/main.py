"""Function ``intake``: an upload becomes a job."""

import os
from functools import cache, partial

import functions_framework
from cloudevents.http import CloudEvent

from functions.intake.handler import handle
from shared.gcp import connected
from shared.step import deliver

ports = cache(partial(connected, os.environ))


@functions_framework.cloud_event
def on_upload_finalized(event: CloudEvent) -> None:
    deliver(event, handle, ports())
