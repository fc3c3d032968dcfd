"""The benchmarks' servers, scenarios and evaluation, and a run of every available downloader."""

from __future__ import annotations

import http.client
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import decoding, pictures, server, tools
from benchmarks.__main__ import main
from benchmarks.bench import opened
from benchmarks.downloaders import CURL, SavedImage, available
from benchmarks.evaluation import Evaluation, evaluate
from benchmarks.process_cost import Cost
from benchmarks.results import Result, Results
from benchmarks.scenarios import HOSTS, Behaviour, Link, Scenario, half_dead, immediate, slow
from benchmarks.server import Server
from benchmarks.tools import Tools

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="hosts are addresses of 127/8")

PICTURES = 10
FOUND = tools.find(install=False)
KINDS = {"Python": Tools({}, None), "nginx": FOUND}
HOST = "127.1.0.7"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder of pictures."""
    path = tmp_path_factory.mktemp("pictures")
    pictures.fill(path, PICTURES)
    return path


@pytest.fixture(scope="module", params=KINDS)
def running(
    request: pytest.FixtureRequest, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Serve the pictures with each available kind of server."""
    if request.param == "nginx" and not server.has_nginx(FOUND):
        pytest.skip("nginx with Lua is not installed")
    with server.serving(folder, tmp_path_factory.mktemp("server"), KINDS[request.param]) as started:
        yield started


def link(behaviour: Behaviour, host: str = HOST, number: int = 4, latency: int = 0) -> Link:
    """Make a URL."""
    return Link(number, behaviour, host, latency, picture=3)


def get(running: Server, one: Link, run: str = "r1") -> tuple[http.client.HTTPResponse, bytes]:
    """Send a GET request; return the response and as much of its body as arrives."""
    connection = http.client.HTTPConnection(one.host, running.port, timeout=10)
    connection.request("GET", one.path(run))
    response = connection.getresponse()
    try:
        return response, response.read()
    except http.client.IncompleteRead as error:
        return response, error.partial
    finally:
        connection.close()


def picture(folder: Path, number: int = 3) -> bytes:
    """Return the bytes of a picture."""
    return pictures.picture_file(folder, number).read_bytes()


@pytest.mark.parametrize(
    ("behaviour", "status"), [(Behaviour.MISSING, 404), (Behaviour.GONE, 410), (Behaviour.PAGE, 200)]
)
def test_web_pages(running: Server, behaviour: Behaviour, status: int) -> None:
    """Dead URLs respond with a web page, with an error status or with 200."""
    response, body = get(running, link(behaviour))
    assert (response.status, response.headers["Content-Type"][:9]) == (status, "text/html")
    assert b"<html>" in body


def test_alive(running: Server, folder: Path) -> None:
    """An alive URL delivers its picture after its latency."""
    start = time.monotonic()
    response, body = get(running, link(Behaviour.ALIVE, latency=200))
    assert time.monotonic() - start >= 0.2
    assert (response.status, response.headers["Content-Type"], body) == (200, "image/jpeg", picture(folder))


def test_busy(running: Server, folder: Path) -> None:
    """The first request of each run for a URL gets 429 with Retry-After, the next one the picture."""
    responses = [get(running, link(Behaviour.BUSY), run) for run in ("b1", "b1", "b2")]
    assert [response.status for response, _ in responses] == [429, 200, 429]
    assert responses[0][0].headers["Retry-After"] == "1"
    assert responses[1][1] == picture(folder)


def test_recovering(running: Server, folder: Path) -> None:
    """Each host responds with 503 during the first second, then with pictures."""
    first, second = link(Behaviour.RECOVERING, "127.2.0.1"), link(Behaviour.RECOVERING, "127.2.0.2")
    assert get(running, first)[0].status == 503
    time.sleep(1.1)
    assert get(running, first)[1] == picture(folder)
    assert get(running, second)[0].status == 503


def test_cut(running: Server, folder: Path) -> None:
    """Half of the picture arrives, with the length of the whole."""
    response, body = get(running, link(Behaviour.CUT))
    assert response.headers["Content-Length"] == f"{len(picture(folder))}"
    assert body == picture(folder)[: len(picture(folder)) // 2]


def test_drip(running: Server, folder: Path) -> None:
    """The picture arrives so slowly that it takes tens of seconds."""
    one = link(Behaviour.DRIP)
    with socket.create_connection((one.host, running.port), timeout=10) as client:
        client.sendall(f"GET {one.path('r1')} HTTP/1.1\r\nHost: {one.host}\r\n\r\n".encode())
        time.sleep(0.5)
        received = client.recv(1_000_000)
    assert b" 200 " in received[:20]
    assert 0 < len(received) < len(picture(folder)) / 10


def test_placeholders(running: Server) -> None:
    """A redirect leads to a placeholder; a parked host has the same picture for all URLs."""
    response, _ = get(running, link(Behaviour.PLACEHOLDER))
    assert response.status == 302
    assert response.headers["Location"].endswith("/images/photo_unavailable.png")
    bodies = {get(running, link(Behaviour.PARKED, "127.3.0.1", number))[1] for number in (1, 2)}
    assert len(bodies) == 1


def test_hosts(running: Server) -> None:
    """All other hosts respond; the unresponsive ones refuse connections or do not complete the handshake."""
    assert {one.host for one in half_dead(3000).links if one.host.startswith("127")} >= set(server.hosts())
    for host in server.hosts():
        assert get(running, link(Behaviour.MISSING, host))[0].status == 404
    refusing, blackhole = (HOSTS[one].names()[0] for one in (Behaviour.REFUSED, Behaviour.BLACKHOLE))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((refusing, running.other_ports[Behaviour.REFUSED]), timeout=5)
    with pytest.raises(TimeoutError):
        socket.create_connection((blackhole, running.other_ports[Behaviour.BLACKHOLE]), timeout=0.3)


def test_pictures(folder: Path) -> None:
    """Pictures are as large as ImageNet's on average, and have different bytes."""
    sizes = [len(pictures.draw(number)) for number in range(30)]
    assert sum(sizes) / len(sizes) == pytest.approx(pictures.MEAN_BYTES, rel=0.15)
    assert len({picture(folder, number) for number in range(PICTURES)}) == PICTURES


@pytest.mark.parametrize("count", [750, 3000])
def test_half_dead(count: int) -> None:
    """The scenario has all behaviours and half of its URLs alive, and is the same each time."""
    scenario = half_dead(count)
    assert len(scenario.links) == count == 2 * scenario.alive
    assert {one.behaviour for one in scenario.links} == set(Behaviour)
    assert scenario == half_dead(count)


@pytest.mark.parametrize("scenario", [immediate(1000), slow(1000)])
def test_alive_scenarios(scenario: Scenario) -> None:
    """All URLs are alive and different, on enough hosts for 256 concurrent downloads."""
    assert len({one.host for one in scenario.links}) * 8 >= 256
    assert len({one.number for one in scenario.links}) == len(scenario.links) == scenario.alive


def test_evaluation(folder: Path, tmp_path: Path) -> None:
    """A file is right once, if it has the bytes of its URL's picture; every other file is junk."""
    behaviours = (
        *(Behaviour.ALIVE, Behaviour.ALIVE, Behaviour.CUT),
        *(Behaviour.DRIP, Behaviour.BUSY, Behaviour.PAGE),
    )
    links = tuple(Link(number, behaviour, HOST, 0, number) for number, behaviour in enumerate(behaviours))
    scenario = Scenario("S", "", links, rounds=1)
    half = tmp_path / "half.jpg"
    half.write_bytes(picture(folder, 2)[:1000])
    saved = [
        SavedImage(0, pictures.picture_file(folder, 0)),
        SavedImage(0, pictures.picture_file(folder, 0)),  # a duplicate
        SavedImage(1, pictures.picture_file(folder, 5)),  # the picture of another URL
        SavedImage(2, half),
        SavedImage(3, pictures.picture_file(folder, 3)),  # slow, but complete
        SavedImage(-1, pictures.picture_file(folder, 4)),  # of an unknown URL
    ]
    assert evaluate(scenario, saved, folder, re_encoded=False) == Evaluation(images=2, junk=4, lost=2)
    re_encoded = [SavedImage(number, half) for number in range(len(links))]
    assert evaluate(scenario, re_encoded, folder, re_encoded=True) == Evaluation(images=4, junk=2, lost=0)


def test_downloaders(tmp_path: Path) -> None:
    """Every available downloader saves exactly the alive images."""
    behaviours = [Behaviour.ALIVE, Behaviour.MISSING, Behaviour.ALIVE, Behaviour.ALIVE] * 6
    links = (Link(number, behaviour, HOST, 10, number) for number, behaviour in enumerate(behaviours))
    scenario = Scenario("S", "", tuple(links), rounds=1)
    with opened(FOUND, len(behaviours), tmp_path) as bench:
        for downloader in available(FOUND):
            if not downloader.re_encodes and not downloader.only_in:  # those differ by a flag
                _cost, evaluation = bench.measure(downloader, scenario)
                assert evaluation == Evaluation(scenario.alive, junk=0, lost=0), downloader.name
    assert list(tmp_path.iterdir()) == []


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` names all commands that docs/benchmarks.md describes."""
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    for command in ("compare", "first-image", "memory", "batch-sizes", "networks", "scaling", "cluster"):
        assert command in text


def test_floor() -> None:
    """S1 costs at least curl and decoding; S2 as much, or curl's waiting if that takes longer."""
    nothing = Evaluation(0, 0, 0)

    def results(slow_curl: float) -> Results:
        walls = {"S1": 1.0, "S2": slow_curl}
        all_ = [Result(name, CURL, Cost(wall, 0, 0, 0, 0), nothing) for name, wall in walls.items()]
        return Results(tuple(all_), decoding=2.5)

    assert (results(3.0).floor("S1"), results(3.0).floor("S2"), results(5.0).floor("S2")) == (3.5, 3.5, 5.0)
    assert Results(results(3.0).all).floor("S1") is None


def test_decoding_refuses_damaged_pictures(tmp_path: Path) -> None:
    """What is timed is strict decoding of all pictures."""
    pictures.fill(tmp_path, 3)
    assert decoding.seconds(tmp_path, 3) > 0
    last = pictures.picture_file(tmp_path, 2)
    last.write_bytes(last.read_bytes()[:-2000])
    with pytest.raises(ValueError, match="Premature end"):
        decoding.seconds(tmp_path, 3)
