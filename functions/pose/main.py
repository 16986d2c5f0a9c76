"""Function ``pose``: a shard of an upload's picture becomes pose features."""

import os
from functools import cache, partial

import functions_framework
from cloudevents.http import CloudEvent

from functions.pose.handler import handle
from shared.gcp import connected
from shared.step import deliver

ports = cache(partial(connected, os.environ))


@functions_framework.cloud_event
def on_pose_requested(event: CloudEvent) -> None:
    deliver(event, handle, ports())
