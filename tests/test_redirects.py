"""A redirect leads to a web address, from a public one only to a public one, or not at all."""

from __future__ import annotations

import gc
import socket
from collections.abc import Callable

import pycurl
import pytest

from demo.web import Answer, Web
from tests.fetching import body, nothing
from utils.fetch.redirects import RedirectGuard, is_private, redirect_target
from utils.reasons import Reason

PUBLIC = ["8.8.8.8", "1.1.1.1", "172.32.0.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "[2a00:1450::1]"]
PUBLIC += ["64:ff9b::8.8.8.8", "2002:808:808::", "100.128.0.1", "223.255.255.255", "198.20.0.1"]
PRIVATE = [
    "127.0.0.1",
    "127.9.9.9",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "::1",
    "[::1]",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fd00::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "2002:7f00:1::",
    *("64:ff9b::10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "::10.0.0.1", "::8.8.8.8"),
    *("fec0::1", "feff::1", "ff02::1", "ff0e::1", "5f00::1", "4000::1", "2001::1", "2001:db8::1", "3fff::1"),
    *("224.0.0.1", "239.1.2.3", "240.0.0.1", "255.255.255.255", "192.0.0.1", "192.0.2.1", "198.18.0.1"),
    *("198.51.100.1", "203.0.113.1", "0.1.2.3", "100.127.255.255"),
]
ODD_SPELLINGS = [
    "http://127.0.0.1/",
    "//10.0.0.1/x",
    "http://localhost/",
    "http://LOCALHOST.:81/",
    "http://me.localhost/",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://127.1/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[fe80::1%25eth0]/",
    "http://user:pw@127.0.0.1:80/",
    "http:/127.0.0.1/",
    "HTTP:///127.0.0.1/",
    "http://%31%32%37.0.0.1/",
    "http://\uff11\uff12\uff17.0.0.1/",
    "http://127\u30020\u30020\u30021/",
    "https://169.254.169.254/latest/meta-data",
]
HERE = "http://me:pw@somewhere.test/a/x?q"


def address(ip: str, port: int = 80) -> tuple[object, ...]:
    """Spell an address as pycurl hands it over."""
    if ":" in ip:
        return (socket.AF_INET6, socket.SOCK_STREAM, 6, (ip, port, 0, 0))
    return (socket.AF_INET, socket.SOCK_STREAM, 6, (ip, port))


def redirected(first_ip: str, url: str = "http://elsewhere.test/") -> RedirectGuard:
    """Give the guard of a request that follows a redirect; the try began at an address."""
    first = RedirectGuard("http://somewhere.test/a")
    assert first.before_request(first_ip) == pycurl.PREREQFUNC_OK
    return RedirectGuard(url, first.from_public)


@pytest.mark.parametrize("ip", PRIVATE)
def test_private_addresses_are_known(ip: str) -> None:
    """Private, loopback, link-local, shared, reserved ones and groups, also as IPv4 within IPv6."""
    assert is_private(ip)


@pytest.mark.parametrize("ip", [*PUBLIC, "example.org", "", "1.2.3", "no address"])
def test_public_addresses_and_names_are_not_private(ip: str) -> None:
    """A name says nothing about where it leads."""
    assert not is_private(ip)


@pytest.mark.parametrize("ip", [ip.strip("[]") for ip in PRIVATE])
def test_from_public_to_private_is_refused(ip: str) -> None:
    """On a new connection before its socket is made, and on an old one before the request is sent."""
    guard = redirected("8.8.8.8")
    assert guard.open_socket(0, address(ip)) == pycurl.SOCKET_BAD
    assert guard.blocked
    guard = redirected("8.8.8.8")
    assert guard.before_request(ip) == pycurl.PREREQFUNC_ABORT
    assert guard.blocked


@pytest.mark.parametrize("ip", [ip.strip("[]") for ip in PUBLIC])
def test_from_public_to_public_is_allowed(ip: str) -> None:
    """Most redirects are of this kind."""
    guard = redirected("8.8.8.8")
    made = guard.open_socket(0, address(ip))
    assert isinstance(made, socket.socket)
    assert guard.before_request(ip) == pycurl.PREREQFUNC_OK
    assert not guard.blocked


@pytest.mark.parametrize("ip", ["127.0.0.1", "192.168.1.1", "::1"])
def test_what_begins_in_private_may_stay_there(ip: str) -> None:
    """A mirror in one's own network may redirect within it."""
    guard = redirected(ip, "http://10.0.0.1/")
    assert not guard.from_public
    assert isinstance(guard.open_socket(0, address("10.0.0.1")), socket.socket)
    assert guard.before_request("10.0.0.1") == pycurl.PREREQFUNC_OK
    assert not guard.blocked


def test_without_a_redirect_any_address_is_allowed() -> None:
    """A host with a dead public address may have a private one, too: the user named it."""
    guard = RedirectGuard("http://somewhere.test/a")
    for ip in ("8.8.8.8", "10.0.0.1"):
        assert isinstance(guard.open_socket(0, address(ip)), socket.socket)
    assert guard.before_request("8.8.8.8") == pycurl.PREREQFUNC_OK


def test_a_socket_that_cannot_be_made_is_an_address_that_cannot_be_reached() -> None:
    """An address family that the machine lacks, or a lack of descriptors, raises nothing within curl."""
    guard = RedirectGuard("http://somewhere.test/a")
    assert guard.open_socket(0, (9999, socket.SOCK_STREAM, 6, ("8.8.8.8", 80))) == pycurl.SOCKET_BAD
    assert not guard.blocked


def test_sockets_are_handed_over_without_a_leak() -> None:
    """The socket that pycurl has copied is closed, and silently so (warnings are errors)."""
    guard = RedirectGuard("http://somewhere.test/a")
    made = guard.open_socket(0, address("8.8.8.8"))
    assert isinstance(made, socket.socket)
    descriptor = made.fileno()
    del made
    gc.collect()
    with pytest.raises(OSError, match="Bad file descriptor"):
        socket.socket(fileno=descriptor)


@pytest.mark.parametrize("location", ODD_SPELLINGS)
def test_literal_private_targets_are_refused_in_every_spelling(location: str) -> None:
    """Before any connection is made, as curl or a resolver would understand them."""
    refused = redirect_target(HERE, location.encode(), from_public=True)
    # Spellings that no URL may have are refused as such.
    assert refused in (Reason.FORBIDDEN_REDIRECT, Reason.INVALID_URL)
    if location.isascii() and "%31" not in location and "%25" not in location:
        assert refused is Reason.FORBIDDEN_REDIRECT
        assert isinstance(redirect_target(HERE, location.encode(), from_public=False), str)


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/b", "http://me:pw@somewhere.test/b"),
        ("b c", "http://me:pw@somewhere.test/a/b%20c"),
        ("../d#part", "http://me:pw@somewhere.test/d"),
        ("?x", "http://me:pw@somewhere.test/a/x?x"),
        ("http://8.8.8.8/", "http://8.8.8.8/"),
        ("//example.org", "http://example.org/"),
        ("HTTPS:/example.org/caf\u00e9", "https://example.org/caf%C3%A9"),
        ("http://b\u00fccher.example/", "http://xn--bcher-kva.example/"),
        ("http://1.2.3.4.5/", "http://1.2.3.4.5/"),
    ],
)
def test_other_targets_are_left_to_the_addresses(location: str, expected: str) -> None:
    """Relative ones, public ones and names, spelled as they are asked for; credentials stay at their host."""
    assert redirect_target(HERE, location.encode(), from_public=True) == expected


def test_a_target_in_an_old_encoding_keeps_its_bytes() -> None:
    """What is no UTF-8 is asked for byte by byte."""
    assert redirect_target(HERE, b"/caf\xe9 1", from_public=True) == "http://me:pw@somewhere.test/caf%E9%201"


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("file:///etc/passwd", Reason.FORBIDDEN_REDIRECT),
        ("ftp://example.org/x", Reason.FORBIDDEN_REDIRECT),
        ("data:image/png;base64,AAAA", Reason.FORBIDDEN_REDIRECT),
        ("javascript:alert(1)", Reason.FORBIDDEN_REDIRECT),
        ("http://[broken/", Reason.INVALID_URL),
        ("http://example.org:99999/", Reason.INVALID_URL),
        ("/" + "a" * 9000, Reason.INVALID_URL),
    ],
)
def test_targets_that_nobody_follows(location: str, reason: Reason) -> None:
    """Other protocols, and what is no address; wherever the try began."""
    for from_public in (True, False):
        assert redirect_target(HERE, location.encode(), from_public=from_public) is reason


def through(monkeypatch: pytest.MonkeyPatch, proxy: Web, **exceptions: str) -> None:
    """Let a web play the forward proxy for http."""
    monkeypatch.setenv("http_proxy", proxy.url(""))
    for name, value in exceptions.items():
        monkeypatch.setenv(name, value)


def test_behind_a_proxy_the_proxys_own_address_does_not_matter(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Public names lead to public names through a proxy on loopback."""
    through(monkeypatch, web)
    web.answer("http://one.test/a", Answer.redirect("http://two.test/b"))
    web.answer("http://two.test/b", Answer.redirect("c"))
    web.answer("http://two.test/c", Answer.jpeg(b"picture"))
    assert body("http://one.test/a").data == b"picture"


@pytest.mark.parametrize(
    "target", ["http://127.0.0.1/", "http://10.1.2.3/x", "http://[::1]/", "http:/127.1/"]
)
def test_behind_a_proxy_literal_addresses_count(
    web: Web, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    """The proxy is never asked for the private address, be it the first redirect or a later one."""
    through(monkeypatch, web)
    web.answer("http://one.test/a", Answer.redirect(target))
    web.answer("http://one.test/b", Answer.redirect("/a"))
    for start in ("http://one.test/a", "http://one.test/b"):
        assert nothing(start).reason is Reason.FORBIDDEN_REDIRECT
    assert {request.path for request in web.requests} == {"http://one.test/a", "http://one.test/b"}


def test_behind_a_proxy_what_begins_in_private_may_stay_there(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A literal private address as the beginning is the user's own wish."""
    through(monkeypatch, web)
    web.answer("http://10.0.0.1/a", Answer.redirect("http://10.0.0.2/b"))
    web.answer("http://10.0.0.2/b", Answer.jpeg(b"picture"))
    assert body("http://10.0.0.1/a").data == b"picture"


def test_past_a_proxy_the_address_counts(
    make_web: Callable[[], Web], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a public name behind a proxy to a private address that is asked directly."""
    proxy, inside = make_web(), make_web()
    through(monkeypatch, proxy, no_proxy="example.org,127.0.0.1")
    proxy.answer("http://one.test/a", Answer.redirect(inside.url("/secret")))
    assert nothing("http://one.test/a").reason is Reason.FORBIDDEN_REDIRECT
    assert inside.requests == []


@pytest.mark.parametrize("name", ["https_proxy", "HTTP_PROXY"])
def test_a_proxy_for_something_else_opens_no_door(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """What curl does not send through a proxy is judged by its address."""
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    guard = redirected("8.8.8.8")
    assert guard.open_socket(0, address("10.0.0.1")) == pycurl.SOCKET_BAD


@pytest.mark.parametrize("name", ["http_proxy", "all_proxy", "ALL_PROXY"])
def test_a_proxy_that_is_used_is_not_judged(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Its address is no target of the redirect."""
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    guard = redirected("127.0.0.1")
    assert isinstance(guard.open_socket(0, address("127.0.0.1")), socket.socket)
    assert guard.before_request("127.0.0.1") == pycurl.PREREQFUNC_OK


def test_a_location_on_an_answer_that_is_no_redirect_is_no_redirect(web: Web) -> None:
    """A 200 with a Location header is the picture."""
    web.answer("/a", Answer(body=b"picture", headers=("Location: http://10.0.0.1/",)))
    assert body(web.url("/a")).data == b"picture"
