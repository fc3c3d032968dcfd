"""Tests of `utils.urls`."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.models.rows import UrlRow
from utils.reasons import Reason
from utils.urls import IMAGE_CODE, host_of, rejection, request_url

GOOD = "n00007846_612"
PRINTABLE = re.compile(r"[!-~]*")


def reason_of(url: str, image_code: str = GOOD) -> Reason | None:
    """Return the reason for which a row is rejected."""
    rejected = rejection(UrlRow(0, image_code, url))
    return rejected.reason if rejected else None


@pytest.mark.parametrize(
    "url",
    [
        "http://a.example/x.jpg",
        "HTTPS://A.example:8443/x",
        "http://user:secret@a.example/x",
        "http://a.example",
        "http://a.example:/x",
        "http://a.example/two words\tand a tab.jpg",
        'http://a.example/"quoted",comma.jpg#part',
        "http://bücher.example/ö.jpg",
        "http://[::1]:8080/x",
        "http://under_score.a.example./x",
        "  http://a.example/x  ",
    ],
)
def test_valid_urls(url: str) -> None:
    """Common and unusual valid URLs are accepted."""
    assert reason_of(url) is None


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("", "no URL"),
        ("   ", "no URL"),
        ("ftp://a.example/x", "'ftp:'"),
        ("file:///etc/passwd", "'file:'"),
        ("www.a.example/x.jpg", "begin with"),
        ("http:///x.jpg", "no host"),
        ("http:/a.example/x", "no host"),
        ("http://user@/x", "no host"),
        ("http://a.example:0/x", "port"),
        ("http://a.example:99999/x", "port"),
        ("http://a.example:eighty/x", "port"),
        ("http://a.example:\u0661/x", "port"),
        ("http://a b.example/x", "host name"),
        ("http://a%20b.example/x", "host name"),
        ("http://a%2Fb.example/x", "host name"),
        ("http://a%40b.example/x", "host name"),
        ("http://a%00b.example/x", "host name"),
        ("http://a.example\\x", None),
        ("http://exa\u2100mple.example/x", "host name"),
        ("http://[::1/x", "host name"),
        ("http://[nonsense]/x", "host name"),
        ("http://[::1]x/y", "host name"),
        ("http://" + "a" * 300 + "/x", "host has"),
        ("http://a.example/\nx", "control"),
        ("http://a.example/\x00x", "control"),
        ("http://a.example/" + "x" * 8000, "8017 characters"),
    ],
)
def test_invalid_urls(url: str, word: str | None) -> None:
    """URLs without http(s), host or valid port, or with control characters, are rejected."""
    rejected = rejection(UrlRow(0, GOOD, url))
    if word is None:
        assert rejected is None  # a backslash ends the host, as in browsers
        return
    assert rejected is not None
    assert rejected.reason is Reason.INVALID_URL
    assert word in rejected.description


@pytest.mark.parametrize(
    "code",
    [
        "", "n00007846", "n00007846_", "n00007846_x", "n0000784_6", "N00007846_1", "n00007846_1\n",
        " n00007846_1", "n00007846_1/../../x", "../../etc/passwd", "n0000784\u0666_1", "n00007846_\u0661",
        "n00007846_" + "1" * 400,
    ],
)  # fmt: skip
def test_invalid_image_codes(code: str) -> None:
    """An image code becomes a file name, so only n, eight ASCII digits, underscore and digits are valid."""
    assert reason_of("http://a.example/x", code) is Reason.INVALID_IMAGE_CODE


@pytest.mark.parametrize(
    ("url", "requested"),
    [
        ("http://a.example/a b\tc.jpg", "http://a.example/a%20b%09c.jpg"),
        ("http://a.example/%7Euser/100%.jpg", "http://a.example/%7Euser/100%.jpg"),
        ("http://a.example/ö?q=ü#part", "http://a.example/%C3%B6?q=%C3%BC"),
        ("HTTP://Bücher.Example:8080/x", "http://xn--bcher-kva.example:8080/x"),
        ("http://user:p%40ss@a.example/x", "http://user:p%40ss@a.example/x"),
        ("http://a.example?q=1", "http://a.example/?q=1"),
        ("http://a.example\\b\\c.jpg?d=\\e", "http://a.example/b/c.jpg?d=%5Ce"),
        ("http://b%C3%BCcher.Example/x", "http://xn--bcher-kva.example/x"),
        ("http://a.example", "http://a.example/"),
        (" http://a.example:/x ", "http://a.example/x"),
        ("http://[2001:DB8::1]:81/x", "http://[2001:db8::1]:81/x"),
        ("http://a.example/0,0,1.jpg;v=1&b=[2]", "http://a.example/0,0,1.jpg;v=1&b=[2]"),
    ],
)
def test_request_url(url: str, requested: str) -> None:
    """As browsers request them: encoded once, with slashes, a decoded host and credentials, no fragment."""
    assert request_url(url) == requested


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://A.Example/x", "a.example:80"),
        ("https://a.example/x", "a.example:443"),
        ("http://user:pw@a.example:8080", "a.example:8080"),
        ("http://bücher.example/", "xn--bcher-kva.example:80"),
        ("http://[::1]/", "[::1]:80"),
        ("http://a.example./", "a.example:80"),
        ("http://a.example:080/", "a.example:80"),
        ("http://2130706433/", "127.0.0.1:80"),
        ("http://0x7f.1:81/", "127.0.0.1:81"),
        ("http://%31%32%37.0.0.1/", "127.0.0.1:80"),
        ("http://%2531.example/", "%2531.example:80"),
        ("http://x0x1.example/", "x0x1.example:80"),
        ("no url", ""),
    ],
)
def test_host_of(url: str, host: str) -> None:
    """Equivalent spellings of a server give the same host."""
    assert host_of(url) == host


HOSTILE = st.one_of(
    st.text(),
    st.text(alphabet="htps:/@[]%?#\\.:0123456789 \t\nü。℀\ud800"),
    st.builds("http://{}@{}:{}/{}".format, st.text(), st.text(), st.text(), st.text()),
    st.builds("https://{}/{}".format, st.text(min_size=1), st.text()),
)


@settings(deadline=None)
@given(HOSTILE, st.text())
def test_any_text(url: str, image_code: str) -> None:
    """No text raises an exception, and only printable ASCII is requested."""
    rejected = rejection(UrlRow(0, image_code, url))
    assert (rejected is None) <= bool(IMAGE_CODE.fullmatch(image_code))
    requested = request_url(url)
    assert PRINTABLE.fullmatch(requested)
    assert PRINTABLE.fullmatch(host_of(url))
    assert request_url(requested) == requested


@settings(deadline=None)
@given(HOSTILE)
def test_requested_url_is_valid_and_has_the_same_host(url: str) -> None:
    """A valid URL stays valid, with the same server, in the form that is requested."""
    if reason_of(url) is None and len(request_url(url)) <= 8000:
        assert reason_of(request_url(url)) is None
        assert host_of(request_url(url)) == host_of(url) != ""
