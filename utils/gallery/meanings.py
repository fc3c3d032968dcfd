"""What the reasons of failure mean, in words for people who did not write the report."""

from __future__ import annotations

from http import HTTPStatus

from ..reasons import Reason

MEANINGS: dict[Reason, str] = {
    Reason.INVALID_URL: "The table's row has no address that could be asked.",
    Reason.INVALID_IMAGE_CODE: "The table's row has no code that an image could be named by.",
    Reason.DUPLICATE_IMAGE_CODE: "The table names the same image once more.",
    Reason.FORBIDDEN_REDIRECT: "The server sends us where no image may come from.",
    Reason.OPTED_OUT: "The server asks not to use its images so.",
    Reason.DNS_ERROR: "The host's name is not known any more.",
    Reason.CONNECTION_REFUSED: "The host takes no connections.",
    Reason.CONNECT_TIMEOUT: "The host does not answer.",
    Reason.TIMEOUT: "The image did not arrive in time.",
    Reason.TLS_ERROR: "No secure connection came about.",
    Reason.CONNECTION_ERROR: "The connection broke.",
    Reason.TOO_MANY_REDIRECTS: "The server sends us round and round.",
    Reason.HTTP_STATUS: "The server said no.",
    Reason.NOT_AN_IMAGE: "What came is no image, e.g. a web page.",
    Reason.TRUNCATED: "Only a part of the image came.",
    Reason.CORRUPT: "The image is damaged.",
    Reason.TOO_SMALL: "The image is smaller than was asked for.",
    Reason.TOO_LARGE: "The image is larger than is taken.",
    Reason.PLACEHOLDER: 'A picture that says "no longer here" came in its place.',
    Reason.ANNOTATION_MISMATCH: "The image is not the one on which the boxes were drawn.",
    Reason.DEAD_HOST: "The host answered nobody, and was given up.",
    Reason.RATE_LIMITED: "The host wants fewer requests, for longer than a run waits.",
    Reason.DISK_ERROR: "The image could not be saved.",
    Reason.CRASHED: "The image crashed whatever looked at it.",
    Reason.INTERRUPTED: "The run ended before it came to this.",
    Reason.FILLED: "As many images as were wanted were there before it.",
}
_BY_WORD = {reason.word: sentence for reason, sentence in MEANINGS.items()}
_HTTP = "http_"


def meaning(word: str) -> str:
    """Say what a report's word means, e.g. `http_404`."""
    if word in _BY_WORD:
        return _BY_WORD[word]
    sentence = MEANINGS[Reason.HTTP_STATUS]
    try:
        status = HTTPStatus(int(word.removeprefix(_HTTP)))
    except ValueError:  # servers make up statuses of their own
        return sentence
    return f"{sentence[:-1]}: {status.value} {status.phrase}."
