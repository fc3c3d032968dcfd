"""Redirects lead to http and https only, and from a public address never to a private one."""

from __future__ import annotations

import contextlib
import gc
import socket
from collections.abc import Callable

import pycurl
import pytest

from demo.web import Answer, Web
from tests.fetching import fetch_body, fetch_error, finish
from utils.fetch.client import Fetcher
from utils.fetch.redirects import RedirectGuard, is_private, redirect_target
from utils.models.tasks import FetchError, RedirectHistory
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
    """Return an address as pycurl passes it."""
    if ":" in ip:
        return (socket.AF_INET6, socket.SOCK_STREAM, 6, (ip, port, 0, 0))
    return (socket.AF_INET, socket.SOCK_STREAM, 6, (ip, port))


def redirected(first_ip: str, url: str = "http://elsewhere.test/") -> RedirectGuard:
    """Return the guard of a request after a redirect; the attempt started at an address."""
    first = RedirectGuard("http://somewhere.test/a")
    assert first.before_request(first_ip) == pycurl.PREREQFUNC_OK
    return RedirectGuard(url, first.from_public)


@pytest.mark.parametrize("ip", PRIVATE)
def test_private_addresses(ip: str) -> None:
    """Private, loopback, link-local, shared, reserved and multicast ones, also as IPv4 in IPv6."""
    assert is_private(ip)


@pytest.mark.parametrize("ip", [*PUBLIC, "example.org", "", "1.2.3", "no address"])
def test_public_addresses_and_names_are_not_private(ip: str) -> None:
    """A name does not tell where it leads."""
    assert not is_private(ip)


@pytest.mark.parametrize("ip", [ip.strip("[]") for ip in PRIVATE])
def test_from_public_to_private_is_refused(ip: str) -> None:
    """On a new connection before its socket is created, on a reused one before the request is sent."""
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
def test_from_private_to_private_is_allowed(ip: str) -> None:
    """A mirror in a private network may redirect within it."""
    guard = redirected(ip, "http://10.0.0.1/")
    assert not guard.from_public
    assert isinstance(guard.open_socket(0, address("10.0.0.1")), socket.socket)
    assert guard.before_request("10.0.0.1") == pycurl.PREREQFUNC_OK
    assert not guard.blocked


def test_without_a_redirect_any_address_is_allowed() -> None:
    """A host that the user named may have a public and a private address."""
    guard = RedirectGuard("http://somewhere.test/a")
    for ip in ("8.8.8.8", "10.0.0.1"):
        assert isinstance(guard.open_socket(0, address(ip)), socket.socket)
    assert guard.before_request("8.8.8.8") == pycurl.PREREQFUNC_OK


def test_socket_that_cannot_be_created() -> None:
    """An unsupported family or too many open files raise nothing in curl's callback."""
    guard = RedirectGuard("http://somewhere.test/a")
    assert guard.open_socket(0, (9999, socket.SOCK_STREAM, 6, ("8.8.8.8", 80))) == pycurl.SOCKET_BAD
    assert not guard.blocked


def test_sockets_do_not_leak() -> None:
    """The socket that pycurl has duplicated is closed without a warning."""
    guard = RedirectGuard("http://somewhere.test/a")
    made = guard.open_socket(0, address("8.8.8.8"))
    assert isinstance(made, socket.socket)
    descriptor = made.fileno()
    del made
    gc.collect()
    with pytest.raises(OSError, match="Bad file descriptor"):
        socket.socket(fileno=descriptor)


@pytest.mark.parametrize("is_proxied", [False, True])
@pytest.mark.parametrize("location", ODD_SPELLINGS)
def test_private_hosts_in_any_spelling_are_refused(
    web: Web, monkeypatch: pytest.MonkeyPatch, location: str, is_proxied: bool
) -> None:
    """Before a connection is made or a proxy is asked; spellings that no URL may have are invalid."""
    target = redirect_target(HERE, location.encode())
    assert isinstance(target, str) or target is Reason.INVALID_URL
    if isinstance(target, str):
        if is_proxied:
            monkeypatch.setenv("all_proxy", web.url(""))
        with contextlib.closing(Fetcher(5.0)) as fetcher:
            fetcher.start(0, target, RedirectHistory(count=1, from_public=True))
            (result,) = finish(fetcher).values()
        assert isinstance(result, FetchError)
        assert result.reason is Reason.FORBIDDEN_REDIRECT
    assert web.requests == []


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
        ("http://8.8.8.8\\b\\c?d=\\e", "http://8.8.8.8/b/c?d=%5Ce"),
        ("\\b", "http://me:pw@somewhere.test/b"),
        ("///example.org/b//c", "http://example.org/b//c"),
        ("https:////example.org/b\t\tc", "https://example.org/bc"),
    ],
)
def test_other_targets_are_accepted(location: str, expected: str) -> None:
    """Relative ones, public addresses and names; credentials stay with their host."""
    assert redirect_target(HERE, location.encode()) == expected


def test_target_that_is_not_utf_8() -> None:
    """Its bytes are percent-encoded."""
    assert redirect_target(HERE, b"/caf\xe9 1") == "http://me:pw@somewhere.test/caf%E9%201"


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("file:///etc/passwd", Reason.FORBIDDEN_REDIRECT),
        ("ftp://example.org/x", Reason.FORBIDDEN_REDIRECT),
        ("data:image/png;base64,AAAA", Reason.FORBIDDEN_REDIRECT),
        ("javascript:alert(1)", Reason.FORBIDDEN_REDIRECT),
        ("http://[broken/", Reason.INVALID_URL),
        ("http:///", Reason.INVALID_URL),
        ("http://example.org:99999/", Reason.INVALID_URL),
        ("/" + "a" * 9000, Reason.INVALID_URL),
    ],
)
def test_invalid_targets(location: str, reason: Reason) -> None:
    """Other schemes and invalid URLs."""
    assert redirect_target(HERE, location.encode()) is reason


def use_proxy(monkeypatch: pytest.MonkeyPatch, proxy: Web, **exceptions: str) -> None:
    """Make a server the http proxy."""
    monkeypatch.setenv("http_proxy", proxy.url(""))
    for name, value in exceptions.items():
        monkeypatch.setenv(name, value)


def test_address_of_the_proxy_is_not_checked(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """Public names redirect to public names through a proxy on loopback."""
    use_proxy(monkeypatch, web)
    web.answer("http://one.test/a", Answer.redirect("http://two.test/b"))
    web.answer("http://two.test/b", Answer.redirect("c"))
    web.answer("http://two.test/c", Answer.jpeg(b"picture"))
    assert fetch_body("http://one.test/a").data == b"picture"


@pytest.mark.parametrize(
    "target", ["http://127.0.0.1/", "http://10.1.2.3/x", "http://[::1]/", "http:/127.1/"]
)
def test_private_addresses_in_urls_are_refused_behind_a_proxy(
    web: Web, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    """The proxy gets no request for them, at the first redirect or a later one."""
    use_proxy(monkeypatch, web)
    web.answer("http://one.test/a", Answer.redirect(target))
    web.answer("http://one.test/b", Answer.redirect("/a"))
    for start in ("http://one.test/a", "http://one.test/b"):
        assert fetch_error(start).reason is Reason.FORBIDDEN_REDIRECT
    assert {request.path for request in web.requests} == {"http://one.test/a", "http://one.test/b"}


def test_from_private_to_private_is_allowed_behind_a_proxy(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user gave a private address."""
    use_proxy(monkeypatch, web)
    web.answer("http://10.0.0.1/a", Answer.redirect("http://10.0.0.2/b"))
    web.answer("http://10.0.0.2/b", Answer.jpeg(b"picture"))
    assert fetch_body("http://10.0.0.1/a").data == b"picture"


def test_private_address_without_the_proxy_is_refused(
    make_web: Callable[[], Web], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a name behind a proxy to an address that no_proxy excludes."""
    proxy, inside = make_web(), make_web()
    use_proxy(monkeypatch, proxy, no_proxy="example.org,127.0.0.1")
    proxy.answer("http://one.test/a", Answer.redirect(inside.url("/secret")))
    assert fetch_error("http://one.test/a").reason is Reason.FORBIDDEN_REDIRECT
    assert inside.requests == []


def test_proxied_requests() -> None:
    """The address of the connection is the proxy's, so the host in the URL decides."""
    for url, is_public in (("http://10.0.0.1/a", False), ("http://elsewhere.test/", True)):
        guard = RedirectGuard(url, is_proxied=True)
        assert guard.before_request("127.0.0.1") == pycurl.PREREQFUNC_OK
        assert guard.from_public is is_public
    guard = RedirectGuard("http://elsewhere.test/", from_public=True, is_proxied=True)
    assert isinstance(guard.open_socket(0, address("127.0.0.1")), socket.socket)
    assert guard.before_request("127.0.0.1") == pycurl.PREREQFUNC_OK
    assert not guard.blocked


def test_location_of_a_200_is_ignored(web: Web) -> None:
    """The body is returned."""
    web.answer("/a", Answer(body=b"picture", headers=("Location: http://10.0.0.1/",)))
    assert fetch_body(web.url("/a")).data == b"picture"
