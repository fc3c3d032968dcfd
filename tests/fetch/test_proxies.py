"""The proxy of a URL, by the variables of the environment."""

from __future__ import annotations

import urllib.request

import pytest

from utils.fetch.proxies import Proxies

ONE, TWO = "http://one.test:3128", "http://two.test:3128"
URL, SECURE = "http://images.example.org/x", "https://images.example.org/x"


@pytest.mark.parametrize(
    ("environment", "plain", "secure"),
    [
        ({}, "", ""),
        ({"http_proxy": ONE}, ONE, ""),
        ({"HTTP_PROXY": ONE}, ONE, ""),
        ({"Http_Proxy": ONE}, ONE, ""),
        ({"https_proxy": ONE}, "", ONE),
        ({"HTTPS_PROXY": ONE}, "", ONE),
        ({"HTTP_PROXY": ONE, "http_proxy": TWO}, TWO, ""),
        ({"http_proxy": TWO, "HTTP_PROXY": ONE}, TWO, ""),
        ({"HTTP_PROXY": ONE, "http_proxy": ""}, "", ""),
        ({"all_proxy": ONE}, ONE, ONE),
        ({"ALL_PROXY": ONE}, ONE, ONE),
        ({"ALL_PROXY": ONE, "HTTPS_PROXY": TWO}, ONE, TWO),
        ({"HTTP_PROXY": ONE, "REQUEST_METHOD": "GET"}, "", ""),
        ({"http_proxy": ONE, "REQUEST_METHOD": "GET"}, ONE, ""),
        ({"HTTPS_PROXY": ONE, "REQUEST_METHOD": "GET"}, "", ONE),
        ({"proxy": ONE, "_proxy": ONE, "ftp_proxy": ONE, "my_http_proxy": ONE}, "", ""),
        ({"http_proxy": ONE, "no_proxy": ""}, ONE, ""),
        ({"http_proxy": ONE, "NO_PROXY": "example.org", "no_proxy": ""}, ONE, ""),
    ],
)
def test_variables(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], plain: str, secure: str
) -> None:
    """Lower case before upper case, and a scheme's own variable before `all_proxy`; as in urllib."""
    proxies = Proxies.from_environment(environment)
    assert (proxies.for_url(URL), proxies.for_url(SECURE)) == (plain, secure)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    of_urllib = urllib.request.getproxies()
    if "all" not in of_urllib:
        assert [of_urllib.get(scheme, "") for scheme in ("http", "https")] == [plain, secure]


@pytest.mark.parametrize(
    ("exceptions", "url"),
    [
        ("*", URL),
        ("images.example.org", URL),
        ("example.org", URL),
        (".example.org", URL),
        ("*.example.org", URL),
        ("Example.ORG.", "http://IMAGES.example.org./x"),
        ("a.test, example.org", URL),
        ("a.test example.org", URL),
        ("images.example.org:80", URL),
        ("example.org:443", SECURE),
        ("example.org:8080", "http://images.example.org:8080/x"),
        ("localhost,127.0.0.1", "http://127.0.0.1:8000/x"),
        ("127.0.0.1:8000", "http://127.0.0.1:8000/x"),
        ("10.0.0.0/8", "http://10.1.2.3/x"),
        ("10.1.2.3/8", "http://10.200.0.1/x"),
        ("::1", "http://[::1]/x"),
        ("[::1]", "http://[::1]:8000/x"),
        ("fd00::/8", "http://[fd12::1]/x"),
        ("xn--bcher-kva.example", "http://b\u00fccher.example/x"),
    ],
)
def test_exceptions(exceptions: str, url: str) -> None:
    """Names with their subdomains, ports, addresses and networks have no proxy."""
    for name in ("no_proxy", "NO_PROXY"):
        assert Proxies.from_environment({"all_proxy": ONE, name: exceptions}).for_url(url) == ""


@pytest.mark.parametrize(
    ("exceptions", "url"),
    [
        ("", URL),
        (" , ,", URL),
        ("ages.example.org", URL),
        ("example.com", URL),
        ("www.images.example.org", URL),
        ("images.example.org:81", URL),
        ("10.0.0.0/8", "http://11.0.0.1/x"),
        ("10.0.0.0/8", "http://ten.example.org/x"),
        ("10.0.0.0/99", "http://10.0.0.1/x"),
        ("1", "http://[::1]/x"),
    ],
)
def test_other_hosts(exceptions: str, url: str) -> None:
    """All others have one."""
    assert Proxies.from_environment({"all_proxy": ONE, "no_proxy": exceptions}).for_url(url) == ONE


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("socks5://one.test:1080", "socks5h://one.test:1080"),
        ("SOCKS4://me:pw@one.test", "socks4a://me:pw@one.test"),
        ("socks5h://one.test:1080", "socks5h://one.test:1080"),
        ("one.test:3128", "one.test:3128"),
        ("https://one.test", "https://one.test"),
    ],
)
def test_names_are_resolved_by_socks_proxies(given: str, used: str) -> None:
    """Other addresses are used as given."""
    assert Proxies.from_environment({"https_proxy": given}).for_url(SECURE) == used
