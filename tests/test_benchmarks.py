"""The benchmarks measure what they say: their web, their truth and their arithmetic. No time is asserted."""

from __future__ import annotations

import http.client
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

import benchmarks
from benchmarks import bars, equipment, goals, machine, measuring, pictures, race, tables, web
from benchmarks.__main__ import COMMANDS, parser
from benchmarks.contestants import CONTESTANTS, CURL, OURS, PLAIN, Saved, available
from benchmarks.equipment import Equipment
from benchmarks.errors import BenchmarkError
from benchmarks.goals import Reached
from benchmarks.judging import Verdict, judge
from benchmarks.links import Fate, Link
from benchmarks.measuring import Cost
from benchmarks.results import IMAGES, JUNK, WALL, Result, Results
from benchmarks.scenarios import LIVING_HOSTS, Scenario, half_dead, immediate, mostly_missing, slow
from benchmarks.web import Web
from benchmarks.workshop import opened

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="hosts are addresses of 127/8")

PICTURES = 10
FOUND = equipment.get(install=False)
NOTHING = Equipment({}, None)
KINDS = {"Python": NOTHING, "nginx": FOUND}
LIVING = "127.1.0.7"
ENVIRONMENT = NOTHING.environment()


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder of pictures."""
    folder = tmp_path_factory.mktemp("pictures")
    pictures.fill(folder, PICTURES)
    return folder


@pytest.fixture(scope="module", params=KINDS)
def served(
    request: pytest.FixtureRequest, drawn: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Web]:
    """Serve them, by each kind of web that is to be had."""
    if request.param == "nginx" and not web.has_nginx(FOUND):
        pytest.skip("nginx with Lua is not installed")
    with web.serving(drawn, tmp_path_factory.mktemp("web"), KINDS[request.param]) as serving:
        yield serving


def link(fate: Fate, host: str = LIVING, number: int = 4, latency: int = 0) -> Link:
    """Make an URL of the web."""
    return Link(number, fate, host, latency, picture=3)


def ask(served: Web, one: Link, run: str = "r1") -> tuple[http.client.HTTPResponse, bytes]:
    """Ask for a link as a client does that takes what it gets."""
    connection = http.client.HTTPConnection(one.host, served.port, timeout=10)
    connection.request("GET", one.path(run))
    response = connection.getresponse()
    try:
        return response, response.read()
    except http.client.IncompleteRead as cut:
        return response, cut.partial
    finally:
        connection.close()


def picture(drawn: Path, number: int = 3) -> bytes:
    """Read a picture."""
    return pictures.picture_file(drawn, number).read_bytes()


@pytest.mark.parametrize(("fate", "status"), [(Fate.MISSING, 404), (Fate.GONE, 410), (Fate.PAGE, 200)])
def test_pages_for_people(served: Web, fate: Fate, status: int) -> None:
    """What is dead says so, or sends a page as if nothing were."""
    response, body = ask(served, link(fate))
    assert (response.status, response.headers["Content-Type"][:9]) == (status, "text/html")
    assert b"<html>" in body


def test_the_living_send_their_picture(served: Web, drawn: Path) -> None:
    """To the byte, and only after as many milliseconds as the URL says."""
    began = time.monotonic()
    response, body = ask(served, link(Fate.ALIVE, latency=200))
    assert time.monotonic() - began >= 0.2
    assert (response.status, response.headers["Content-Type"], body) == (200, "image/jpeg", picture(drawn))


def test_the_busy_answer_the_second_time(served: Web, drawn: Path) -> None:
    """The first request of a run for an URL gets 429 with Retry-After; each run begins anew."""
    answers = [ask(served, link(Fate.BUSY), run) for run in ("b1", "b1", "b2")]
    assert [response.status for response, _ in answers] == [429, 200, 429]
    assert answers[0][0].headers["Retry-After"] == "1"
    assert answers[1][1] == picture(drawn)


def test_hosts_recover(served: Web, drawn: Path) -> None:
    """A host answers 503 to whoever comes first, and well a little later; each host for itself."""
    first, second = link(Fate.RECOVERING, "127.2.0.1"), link(Fate.RECOVERING, "127.2.0.2")
    assert ask(served, first)[0].status == 503
    time.sleep(1.1)
    assert ask(served, first)[1] == picture(drawn)
    assert ask(served, second)[0].status == 503


def test_bodies_are_cut(served: Web, drawn: Path) -> None:
    """Half of the picture comes, under the length of the whole."""
    response, body = ask(served, link(Fate.CUT))
    assert response.headers["Content-Length"] == f"{len(picture(drawn))}"
    assert body == picture(drawn)[: len(picture(drawn)) // 2]


def test_bodies_drip(served: Web, drawn: Path) -> None:
    """The picture comes so slowly that it takes tens of seconds."""
    one = link(Fate.DRIP)
    with socket.create_connection((one.host, served.port), timeout=10) as client:
        client.sendall(f"GET {one.path('r1')} HTTP/1.1\r\nHost: {one.host}\r\n\r\n".encode())
        time.sleep(0.5)
        came = client.recv(1_000_000)
    assert b" 200 " in came[:20]
    assert 0 < len(came) < len(picture(drawn)) / 10


def test_placeholders(served: Web) -> None:
    """A redirect leads to a picture of nothing; a parked host has one picture for all URLs."""
    response, _ = ask(served, link(Fate.PLACEHOLDER))
    assert response.status == 302
    assert response.headers["Location"].endswith("/images/photo_unavailable.png")
    bodies = {ask(served, link(Fate.PARKED, "127.3.0.1", number))[1] for number in (1, 2)}
    assert len(bodies) == 1


def test_dead_hosts(served: Web) -> None:
    """Some refuse, some swallow connections, and some names are nobody's."""
    scenario = half_dead(750)
    hosts = {one.fate: one.host for one in scenario.links}
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((hosts[Fate.REFUSED], served.dead_ends[Fate.REFUSED]), timeout=5)
    with pytest.raises(TimeoutError):
        socket.create_connection((hosts[Fate.BLACKHOLE], served.dead_ends[Fate.BLACKHOLE]), timeout=0.3)
    assert hosts[Fate.UNNAMED].endswith(".invalid")


def test_all_hosts_answer(served: Web) -> None:
    """Whatever host a scenario names that is to answer, does; and on loopback only."""
    asked = {one.host for one in half_dead(3000).links if one.fate not in served.dead_ends}
    numbered = {host for host in asked if not host.endswith(".invalid")}
    assert numbered <= set(web.hosts())
    assert all(host.startswith("127.") for host in web.hosts())
    for host in numbered:
        assert ask(served, link(Fate.MISSING, host))[0].status == 404


def test_pictures_are_as_heavy_as_photographs() -> None:
    """They have as many bytes as ImageNet's on average, and are as large as their boxes say."""
    sizes = [len(pictures.draw(number)) for number in range(30)]
    assert sum(sizes) / len(sizes) == pytest.approx(pictures.MEAN_BYTES, rel=0.15)
    assert min(sizes) < pictures.MEAN_BYTES < max(sizes)


def test_no_two_pictures_are_the_same(drawn: Path) -> None:
    """Else they would be taken for placeholders; another comment makes other bytes."""
    assert len({picture(drawn, number) for number in range(PICTURES)}) == PICTURES
    once = pictures.draw(1)
    assert pictures.commented(once, "a") != pictures.commented(once, "b") != once


@pytest.mark.parametrize("how_many", [750, 3000])
def test_half_of_it_is_dead(how_many: int) -> None:
    """The half-dead web has all fates, half of its URLs live, and it is the same every time."""
    scenario = half_dead(how_many)
    assert len(scenario.links) == how_many == 2 * scenario.living
    assert {one.fate for one in scenario.links} == set(Fate)
    assert scenario == half_dead(how_many)


def test_there_are_hosts_enough() -> None:
    """At 8 requests at once from each host 256 can be in flight, and no two URLs share a number."""
    for scenario in (immediate(1000), slow(1000)):
        assert len({one.host for one in scenario.links}) * 8 >= 256
        assert len({one.number for one in scenario.links}) == len(scenario.links) == scenario.living
    assert mostly_missing(400, 100).living == 20
    assert LIVING_HOSTS * 8 >= 256


def result(
    contestant: str, seconds: float, *, images: int = 10, junk: int = 0, scenario: str = "S1"
) -> Result:
    """Make a result."""
    cost = Cost(wall=seconds, processor=0.02, memory=3_000_000, own_memory=1, code=0)
    return Result(scenario, contestant, cost, Verdict(images, junk, lost=0))


RESULTS = Results(
    (
        result(OURS, 3.0, junk=1),
        result(PLAIN, 8.0),
        result(OURS, 2.0, images=9),
        result(PLAIN, 5.0),
        result(OURS, 4.0, scenario="S3"),
    )
)


def test_the_best_round_counts() -> None:
    """Of seconds the least, of junk the most, of images the fewest; ratios are of best rounds."""
    assert [RESULTS.get("S1", OURS, figure) for figure in (WALL, JUNK, IMAGES)] == [2.0, 1, 9]
    assert RESULTS.ratio("S1", OURS, PLAIN) == pytest.approx(0.4)
    assert RESULTS.ratio("S1", OURS, CURL) is None
    assert RESULTS.get("S2", OURS, WALL) is None
    assert RESULTS.contestants("S1") == [OURS, PLAIN]
    assert RESULTS.scenarios() == ["S1", "S3"]


def test_goals_are_met_or_not() -> None:
    """A goal is met if what was measured is at most so much; of what did not run nothing is said."""
    words = [Reached("", 0.8, measured).word for measured in (0.8, 0.81, None)]
    assert words == ["met", "NOT MET", "not measured"]
    reached = {one.name: one for one in goals.reached(RESULTS)}
    assert reached["S1: wall time, in that of img2dataset without re-encoding"].measured == pytest.approx(0.4)
    assert reached["S1: ms of processor for each saved image"].measured == pytest.approx(2.0)
    assert reached["S3: wall time, in that of curl"].measured is None


def test_tables_and_bars_show_everyone() -> None:
    """Each contestant has a row with its ratio, and a bar; ours has none."""
    header, mine, theirs = tables.rows(RESULTS, "S1")
    assert (mine[0], mine[1], *mine[-2:]) == (OURS, "2.00", "", "")
    assert (theirs[0], theirs[1], *theirs[-2:]) == (PLAIN, "5.00", "0.40", "1.00")
    assert mine[header.index("peak MB")] == "3"
    assert tables.markdown([header, mine]).splitlines()[1].count("---") == len(header)
    page = race.page(RESULTS, {"S1": "one & <all>", "S3": "three"}, "a machine")
    assert "| img2dataset-no-reencoding | 5.00 |" in page
    drawing = ElementTree.fromstring(bars.drawn(RESULTS, {"S1": "one & <all>", "S3": "three"}, "a machine"))
    _paper, *bars_drawn = drawing.iter("{http://www.w3.org/2000/svg}rect")
    widths = [float(one.get("width", "")) for one in bars_drawn]
    assert widths == [pytest.approx(bars.BARS * share, abs=0.1) for share in (0.4, 1.0, 1.0)]


def test_the_truth_judges(drawn: Path, tmp_path: Path) -> None:
    """Right is what is behind the URL, to the byte, and once; everything else is junk."""
    fates = (Fate.ALIVE, Fate.ALIVE, Fate.CUT, Fate.DRIP, Fate.BUSY, Fate.PAGE)
    links = tuple(Link(number, fate, LIVING, 0, number) for number, fate in enumerate(fates))
    scenario = Scenario("S", "", links, rounds=1)
    half = tmp_path / "half.jpg"
    half.write_bytes(picture(drawn, 2)[:1000])
    saved = [
        Saved(0, pictures.picture_file(drawn, 0)),
        Saved(0, pictures.picture_file(drawn, 0)),  # again
        Saved(1, pictures.picture_file(drawn, 5)),  # another one's
        Saved(2, half),
        Saved(3, pictures.picture_file(drawn, 3)),  # it took its time, and came
        Saved(-1, pictures.picture_file(drawn, 4)),  # nobody knows of which URL
    ]
    assert judge(scenario, saved, drawn, re_encoded=False) == Verdict(images=2, junk=4, lost=2)
    re_encoded = [Saved(number, half) for number in range(len(links))]
    assert judge(scenario, re_encoded, drawn, re_encoded=True) == Verdict(images=4, junk=2, lost=0)


def test_a_cost_is_that_of_all_processes(tmp_path: Path) -> None:
    """Time and memory of children count, and which of it is the first process's is known."""
    work = "held = bytearray(90_000_000); [sum(range(1000)) for _ in range(20_000)]"
    child = f"import time; {work}; time.sleep(0.3)"
    program = f"import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', {child!r}]) + 7)"
    cost = measuring.run([sys.executable, "-c", program], environment=ENVIRONMENT, folder=tmp_path)
    assert cost.code == 7
    assert cost.memory > 90_000_000 > cost.own_memory > 0
    assert cost.processor > 0.1
    assert cost.wall > 0.3


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """What a command leaves running is ended: it would disturb the next."""
    program = "import subprocess; print(subprocess.Popen(['sleep', '60']).pid, flush=True)"
    log = tmp_path / "log"
    measuring.run([sys.executable, "-c", program], environment=ENVIRONMENT, folder=tmp_path, log=log)
    state = Path("/proc", log.read_text().strip(), "stat")
    deadline = time.monotonic() + 5
    while state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_everyone_is_told_rightly(tmp_path: Path) -> None:
    """Whoever is installed saves what lives, and its images are found and judged."""
    fates = [Fate.ALIVE, Fate.MISSING, Fate.ALIVE, Fate.ALIVE] * 6
    links = (Link(number, fate, LIVING, 10, number) for number, fate in enumerate(fates))
    scenario = Scenario("S", "", tuple(links), rounds=1)
    with opened(FOUND, len(fates), tmp_path) as place:
        for contestant in available(FOUND):
            if not contestant.re_encodes and not contestant.only_in:  # those differ by a flag
                _cost, verdict = place.race(contestant, scenario)
                assert verdict == Verdict(scenario.living, junk=0, lost=0), contestant.name
    assert list(tmp_path.iterdir()) == []


def test_who_saves_nothing_is_said(tmp_path: Path) -> None:
    """A command that does not work ends with its own last words, not with a time."""
    silence = pytest.raises(BenchmarkError, match="saved nothing: no such luck")
    with opened(NOTHING, 1, tmp_path) as place, place.order(immediate(1)) as order, silence:
        place.run([sys.executable, "-c", "print('no such luck')"], order)


def test_every_room_is_named() -> None:
    """The package's docstring names each module, and none that is not there."""
    table = (benchmarks.__doc__ or "").split("=\n")[2]
    named = {name.strip(" ,") for line in table.splitlines()[:-1] for name in line[:57].split(",")}
    files = {path.stem for path in Path(benchmarks.__file__).parent.glob("*.py")} - {"__init__", "__main__"}
    assert named - {"web.lua"} == files


def test_every_command_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` lists all that can be measured."""
    with pytest.raises(SystemExit):
        parser().parse_args(["--help"])
    shown = capsys.readouterr().out
    assert all(command.name in shown for command in COMMANDS)


def test_a_plan_is_kept() -> None:
    """The short race has a quarter of the URLs and few contestants; scenarios and names can be chosen."""
    short = race.Plan(short=True)
    assert [len(one.links) for one in race.scenarios(short)] == [1000, 1000, 750]
    assert [one.name for one in race.contestants(short, slow(5), CONTESTANTS)] == [OURS, CURL, PLAIN]
    chosen = race.Plan(scenarios=["S2"], contestants=[CURL])
    assert [one.name for one in race.scenarios(chosen)] == ["S2"]
    assert [one.name for one in race.contestants(chosen, slow(5), CONTESTANTS)] == [CURL]
    assert "ours-retries-0" not in [one.name for one in race.contestants(race.Plan(), slow(5), CONTESTANTS)]


def test_the_machine_is_named(tmp_path: Path) -> None:
    """Numbers mean nothing without the machine: cores, system, Python, and the kind of disk."""
    words = machine.described(tmp_path, "nginx")
    assert sys.version.split()[0] in words
    assert machine.file_system(tmp_path) in words
    assert machine.file_system(Path("/proc/self")) == "proc"
