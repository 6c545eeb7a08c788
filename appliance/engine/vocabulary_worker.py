"""The process that reads prompts of one model without its weights. Started by module name, as a worker is.

It ends when the daemon says so or its end of the socket closes.
"""

import argparse
import logging
import socket
import sys

from appliance.core.messages import OpenVocabulary, Stop
from appliance.core.request import ReadRequest
from appliance.link.frames import FrameReader, send_frame

from .vocabulary import Vocabulary, answer


def serve(connection: socket.socket) -> None:
    """Answer one request after the other."""
    vocabulary: Vocabulary | None = None
    for messages in FrameReader(connection):
        for message in messages:
            if isinstance(message, OpenVocabulary):
                vocabulary = Vocabulary(message.artefact, message.task)
            elif isinstance(message, ReadRequest):
                assert vocabulary is not None, "the daemon says first which vocabulary it means"
                send_frame(connection, [answer(vocabulary.read, message)])
            elif isinstance(message, Stop):
                return


def main() -> None:
    """Parse the arguments that the daemon gives, and work."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fd", type=int, required=True, help="this process's end of the socket pair")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    with socket.socket(fileno=arguments.fd) as connection:
        serve(connection)


if __name__ == "__main__":
    main()
