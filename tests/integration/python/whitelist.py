"""The WhiteList stop as a user of the Python original has it."""

import logging
import os
import sys

from metrobus import MetroStop

logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
ALLOWED = set(os.environ["ALLOWED"].split(","))


def whitelist(message, full_message=None):
    if message.get("email") not in ALLOWED:
        return None
    message["whitelist"] = True
    return message


MetroStop(whitelist, in_topic="WhiteList").start()
