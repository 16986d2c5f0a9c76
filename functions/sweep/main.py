"""Function ``sweep``: what got lost on the way is found again or given up."""

import os
from functools import cache, partial

import functions_framework
from cloudevents.http import CloudEvent

from functions.sweep.handler import handle
from shared.gcp import connected
from shared.step import deliver

ports = cache(partial(connected, os.environ))


@functions_framework.cloud_event
def on_tick_or_dead_letter(event: CloudEvent) -> None:
    deliver(event, handle, ports())
