"""Function ``audio``: the sound of an upload becomes audio features."""

import os
from functools import cache, partial

import functions_framework
from cloudevents.http import CloudEvent

from functions.audio.handler import handle
from shared.gcp import connected
from shared.step import deliver

ports = cache(partial(connected, os.environ))


@functions_framework.cloud_event
def on_audio_requested(event: CloudEvent) -> None:
    deliver(event, handle, ports())
