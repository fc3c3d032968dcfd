"""What it means when a big file does not come: the errors of requests and of what lies below it, in words.

This module alone knows their texts. They are nested five deep and name classes, but whoever reads them wants
to know what to do.
"""

from __future__ import annotations

# What marks an error in its text, in the order in which to look.
_WORDS = {
    "TooManyRedirects": "it redirects too many times",
    "ProxyError": "the proxy from the environment does not let it through",
    "SSLError": "its certificate is not accepted, or it speaks no TLS",
    "NameResolutionError": "its host name is not known",
    "gaierror": "its host name is not known",
    "Connection refused": "the connection is refused",
    "ConnectTimeout": "it does not answer",
    "Read timed out": "it fell silent",
    "InvalidURL": "this is no URL that can be asked for",
    "InvalidSchema": "it leads to neither http nor https",
    "LocationParseError": "this is no URL that can be asked for",
    "Unicode": "this is no URL that can be asked for",
    "RemoteDisconnected": "the connection broke before an answer came",
    "BadStatusLine": "it does not speak HTTP",
    "InvalidHeader": "its headers contradict each other",
    "got more than": "it sends headers without end",
}


def in_words(error: Exception) -> str:
    """Say shortly what requests, urllib3 and the system say in five nested sentences."""
    text = f"{type(error).__name__} {error!r} {error}"
    for sign, words in _WORDS.items():
        if sign in text:
            return words
    return f"it cannot be reached ({type(error).__name__})"
