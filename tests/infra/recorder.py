"""A function for tests: it notes every event in a file, and behaves as the message tells it to."""

import base64
import json
import os
import time
from pathlib import Path

import functions_framework

NOTES = Path(os.environ["NOTES"])


@functions_framework.cloud_event
def on_anything(event):
    message = event.data["message"]
    text = base64.b64decode(message.get("data", "")).decode()
    note = {
        "id": event["id"],
        "text": text,
        "attributes": message.get("attributes") or {},
        "pid": os.getpid(),
        "source": event["source"],
    }
    with NOTES.open("a") as file:
        file.write(json.dumps(note) + "\n")
    behave(text)


def behave(text):
    match text.partition(" "):
        case "fail", _, "":
            raise RuntimeError("as told")
        case "fail", _, times if notes().count(text) <= int(times):
            raise RuntimeError("as told")
        case "wait", _, seconds if notes().count(text) == 1:
            time.sleep(float(seconds))


def notes():
    return [json.loads(line)["text"] for line in NOTES.read_text().splitlines()]
