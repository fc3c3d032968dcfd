"""One shard: done as on one machine, as often as it takes, and only while its lease holds."""

from __future__ import annotations

import errno
import json
import pickle
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from utils.cluster.shard_work import work
from utils.results.shards import ShardFolder, shard_folders

from demo import pictures
from demo.answers import Answer
from demo.web import Web
from tests.machine import wait_until
from utils.cluster import code_bundle, mail, remote_task, shard_work
from utils.cluster.shard import Lease, Shard, give, listen
from utils.errors import InputError
from utils.models.images import Annotation, Box
from utils.models.rows import UrlRow
from utils.models.tasks import ImageTask, Outcome
from utils.pipeline.messages import CancelTasks, Save, StartTasks, TaskFinished, WorkerConfig
from utils.pipeline.worker_pool import InProcessBackend
from utils.reasons import Reason, Status
from utils.results import segments
from utils.results.journal import Journal
from utils.results.paths import CategoryFolder

CODE = "n00000001"
IMAGES = 12


@pytest.fixture
def shard(tmp_path: Path, web: Web) -> Shard:
    """Give a shard of twelve living images and two dead ones, with its lease and the category's folder."""
    result = tmp_path / "partial_imagenet"
    CategoryFolder(result / "red").make()
    tasks = []
    for number in range(IMAGES + 2):
        if number < IMAGES:
            web.answer(f"/{number}", Answer(body=pictures.jpeg(seed=number), delay=0.05))
        row = UrlRow(number, f"{CODE}_{number}", web.url(f"/{number}"))
        boxes = Annotation(row.image_code, 64, 48, (Box("red", 1, 1, 20, 20),)) if number % 2 else None
        tasks.append(ImageTask(number, "red", row, annotation=boxes))
    order = WorkerConfig(result, 5.0, 16, honour_opt_out=True, with_annotation=False, transfers=16)
    folder = ShardFolder(result / ".shards" / "run")
    folder.path.mkdir(parents=True)
    give(folder.lease("0"))
    folder.segment_so_far("0").touch()
    host = web.url("/").split("/")[2]
    return Shard("0", folder.path, order, 8, 1, tuple(tasks), frozenset({host}), {}, 1)


def never() -> bool:
    """Do not stop."""
    return False


def do_nothing() -> None:
    """Make no room."""


def told(shard: Shard) -> dict[str, Outcome]:
    """Give what the segment says, named or so far, by image code; nothing may be told twice."""
    folder = ShardFolder(shard.folder)
    found = segments.read(folder.segment("0")) + segments.read(folder.segment_so_far("0"))
    assert len(found) == len({outcome.row for _, outcome in found})
    return {outcome.row.image_code: outcome for folder, outcome in found if folder == "red"}


def images(shard: Shard) -> dict[str, bytes]:
    """Give the images that lie in the category's folder."""
    folder = shard.order.result_folder / "red" / "Images"
    return {path.name: path.read_bytes() for path in folder.glob("[!.]*")}


def test_its_segment_tells_of_every_task(shard: Shard) -> None:
    """What lives is saved with its boxes, what is dead has its reason, and the holder told how far it was."""
    work(shard, Lease(shard, never), do_nothing)
    outcomes = told(shard)
    assert len(outcomes) == IMAGES + 2
    assert len(images(shard)) == IMAGES
    assert {one.reason for one in outcomes.values()} == {None, Reason.HTTP_STATUS}
    assert {code for code, one in outcomes.items() if one.boxes} == {
        f"{CODE}_{number}" for number in range(1, IMAGES, 2)
    }
    heard = listen(ShardFolder(shard.folder).lease("0"))
    assert heard
    assert heard.beat >= 1


def test_done_twice(shard: Shard, web: Web) -> None:
    """The second time nothing is asked for, and the segment stays as it is."""
    work(shard, Lease(shard, never), do_nothing)
    segment, asked = ShardFolder(shard.folder).segment("0"), len(web.requests)
    before = segment.read_bytes()
    work(shard, Lease(shard, never), do_nothing)
    assert segment.read_bytes() == before
    assert len(web.requests) == asked


def test_images_of_a_try_that_did_not_live(shard: Shard, web: Web) -> None:
    """They are told of as if they had just been saved, and not fetched again; XML that lacks is written."""
    work(shard, Lease(shard, never), do_nothing)
    first, before, asked = told(shard), images(shard), len(web.requests)
    ShardFolder(shard.folder).segment("0").unlink()
    ShardFolder(shard.folder).segment_so_far("0").touch()
    (shard.order.result_folder / "red" / "Annotation" / f"{CODE}_1.xml").unlink()
    work(shard, Lease(shard, never), do_nothing)
    assert images(shard) == before
    assert len(web.requests) == asked + 2  # the dead ones
    for code, outcome in told(shard).items():
        again = (outcome.status, outcome.reason, outcome.file, outcome.picture, outcome.boxes)
        assert again == (
            first[code].status,
            first[code].reason,
            first[code].file,
            first[code].picture,
            first[code].boxes,
        )


def test_what_a_killed_try_told(shard: Shard, web: Web) -> None:
    """Its segment so far holds, but for a torn line; nothing in it is asked for again."""
    work(shard, Lease(shard, never), do_nothing)
    segment, so_far = (
        getattr(ShardFolder(shard.folder), name)("0") for name in ("segment", "segment_so_far")
    )
    whole, asked = told(shard), len(web.requests)
    lines = [line for line in segment.read_bytes().splitlines(keepends=True) if line.strip()]
    so_far.write_bytes(b"".join(lines[:-1]) + lines[-1][:20])
    segment.unlink()
    work(shard, Lease(shard, never), do_nothing)
    assert told(shard).keys() == whole.keys()
    assert len(web.requests) <= asked + 1


def test_nothing_is_saved_without_permission(shard: Shard, tmp_path: Path) -> None:
    """An image that is there too late is not saved, and nothing is told of it."""
    order = replace(shard.order, permit=tmp_path / "taken away")
    with InProcessBackend(order) as crew:
        crew.start([replace(shard.tasks[0], address=shard.tasks[0].row.url)])
        answers: list[object] = []
        wait_until(lambda: answers.extend(crew.exchange(0.1)) or answers)
    (answer,) = answers
    assert isinstance(answer, TaskFinished)
    assert answer.outcome.status is Status.NOT_ATTEMPTED
    assert not images(shard)


def test_nothing_came_of_it(shard: Shard) -> None:
    """The segment of a shard whose lease is taken away gets its name all the same: nobody waits for it."""
    folder = ShardFolder(shard.folder)
    work(shard, Lease(shard, lambda: folder.lease("0").unlink(missing_ok=True) is not None), do_nothing)
    assert folder.segment("0").exists()
    assert not images(shard)


def test_one_broken_folder_costs_only_its_category(shard: Shard) -> None:
    """Its images fail one by one, each with its reason; those of others are saved."""
    CategoryFolder(shard.order.result_folder / "blue").make()
    broken = CategoryFolder(shard.order.result_folder / "red").images
    broken.rmdir()
    broken.touch()
    moved = tuple(replace(task, folder="blue") for task in shard.tasks[:4])
    work(replace(shard, tasks=moved + shard.tasks[4:]), Lease(shard, never), do_nothing)
    outcomes = segments.read(ShardFolder(shard.folder).segment("0"))
    reasons = {(folder, one.reason) for folder, one in outcomes if one.row.position < IMAGES}
    assert reasons == {("blue", None), ("red", Reason.DISK_ERROR)}
    assert len(outcomes) == IMAGES + 2


def test_a_worker_that_does_not_see_the_folder(shard: Shard) -> None:
    """It says so; the shard is not taken for done."""
    elsewhere = replace(shard, folder=shard.folder / "nowhere")
    with pytest.raises(InputError, match="does not see"):
        work(elsewhere, Lease(elsewhere, never), do_nothing)


def test_a_full_disk_takes_no_lease_away(shard: Shard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a lease that is gone is lost."""

    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "open", full)
    assert Lease(shard, never).holds(0)


def test_without_a_lease_nothing_is_done(shard: Shard, web: Web) -> None:
    """Who comes too late neither asks nor writes."""
    ShardFolder(shard.folder).lease("0").unlink()
    work(shard, Lease(shard, never), do_nothing)
    assert not images(shard)
    assert not ShardFolder(shard.folder).segment("0").exists()
    assert not web.requests


def test_the_lease_is_taken_away(shard: Shard, web: Web) -> None:
    """Or its holder is let go: the work stops, and what was done until then is told, for another try, too."""
    for number in range(4, IMAGES):
        web.answer(f"/{number}", Answer(body=pictures.jpeg(seed=number), delay=30))
    work(shard, Lease(shard, lambda: len(images(shard)) == 4), do_nothing)
    outcomes = told(shard)
    assert 4 <= len(outcomes) <= 6
    assert not ShardFolder(shard.folder).segment("0").exists(), "the other try may be adding to it"
    assert sum(one.status is Status.DOWNLOADED for one in outcomes.values()) == 4


def test_a_lease_is_never_made_anew(shard: Shard) -> None:
    """Once it is gone it stays so, and its holder knows after one heartbeat."""
    lease = Lease(shard, never)
    assert lease.holds(3)
    path = ShardFolder(shard.folder).lease("0")
    heard = listen(path)
    assert heard
    assert (heard.beat, heard.in_flight) == (1, 3)
    path.unlink()
    wait_until(lambda: not lease.holds(0))
    assert not path.exists()
    path.touch()
    assert not lease.holds(0)


def asking(shard: Shard) -> Shard:
    """Let all tasks of a shard ask before they save."""
    return replace(shard, tasks=tuple(replace(task, ask_before_saving=True) for task in shard.tasks))


def ready(shard: Shard) -> list[int]:
    """Give the tasks that wait to be wanted, as the segment tells."""
    lines = ShardFolder(shard.folder).segment_so_far("0").read_bytes().splitlines()
    return segments.told(lines).ready


def test_what_asks_is_saved_when_it_is_wanted(shard: Shard, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for the mail: what is wanted is saved, what is dropped is not told of, and more is done."""
    monkeypatch.setattr(shard_work, "LOOKING_INTERVAL", 0.0)
    folder, some = ShardFolder(shard.folder), shard.batch_size
    mine = replace(asking(shard), tasks=asking(shard).tasks[:some])

    def answer() -> bool:
        if sorted(ready(mine)) == list(range(some)) and not folder.mail("0").exists():
            mail.send(folder.mail("0"), [Save((0, 3)), CancelTasks((1, 2))])
            mail.send(folder.mail("0"), [StartTasks((shard.tasks[9],)), CancelTasks(tuple(range(4, some)))])
        return False

    work(mine, Lease(mine, answer), do_nothing)
    outcomes = told(mine)
    assert {code: one.status for code, one in outcomes.items()} == {
        f"{CODE}_{number}": Status.DOWNLOADED for number in (0, 3, 9)
    }
    assert outcomes[f"{CODE}_3"].boxes == outcomes[f"{CODE}_9"].boxes == 1
    assert len(images(mine)) == 3


def test_what_another_try_has_done(shard: Shard) -> None:
    """A try whose segment is gone stops: all of it was told by another, and what it tells nobody hears."""
    folder = ShardFolder(shard.folder)

    def taken_in() -> bool:
        if len(images(shard)) >= 2:
            folder.segment_so_far("0").unlink(missing_ok=True)
        return False

    work(replace(shard, batch_size=1), Lease(shard, taken_in), do_nothing)
    assert len(images(shard)) < IMAGES
    assert not folder.segment_so_far("0").exists()


def test_a_second_try_knows_its_mail(shard: Shard) -> None:
    """What an earlier one was told holds: nothing that was wanted asks again, nothing dropped is fetched."""
    mine = asking(shard)
    wanted, dropped = tuple(range(4)), tuple(range(4, IMAGES + 2))
    mail.send(ShardFolder(shard.folder).mail("0"), [Save(wanted), CancelTasks(dropped)])
    work(mine, Lease(mine, never), do_nothing)
    assert {one.row.position for one in told(mine).values()} == set(wanted)
    assert len(images(mine)) == len(wanted)


def test_what_is_wanted_does_not_wait_behind_what_is_not(
    shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images that nobody wants make room after a while: one that is wanted may need their places."""
    monkeypatch.setattr(shard_work, "PATIENCE", 0.3)
    mine, path = asking(shard), ShardFolder(shard.folder).mail("0")
    last = IMAGES - 1
    assert last >= shard.batch_size
    mail.send(path, [Save((last,))])
    deadline = time.monotonic() + 30

    def is_over() -> bool:
        return len(images(mine)) == 1 or time.monotonic() > deadline

    work(mine, Lease(mine, is_over), do_nothing)
    assert [code for code, one in told(mine).items() if one.file] == [f"{CODE}_{last}"]


def test_mail(shard: Shard, tmp_path: Path) -> None:
    """Commands arrive as they were sent, once each, and when all of a line is there."""
    path = tmp_path / "mail"
    box = mail.Mailbox(path)
    assert box.new() == []
    tasks = StartTasks((*shard.tasks[:2], replace(shard.tasks[2], ask_before_saving=True)))
    mail.send(path, [tasks, Save((1, 2))])
    assert box.new() == [tasks, Save((1, 2))]
    assert box.new() == []
    mail.send(path, [CancelTasks((3,)), StartTasks(())])
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    assert box.new() == [CancelTasks((3,))]
    path.write_bytes(whole)
    assert box.new() == [StartTasks(())]


def test_its_process_ends_with_who_started_it(shard: Shard, web: Web, tmp_path: Path) -> None:
    """When standard input closes the process stops, and leaves what it has."""
    for number in range(IMAGES):
        web.answer(f"/{number}", Answer(body=pictures.jpeg(seed=number), delay=0.1 if number % 2 else 30))
    command = [sys.executable, "-m", "utils.cluster.shard_main"]
    root = Path(__file__).resolve().parents[1]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(pickle.dumps(shard))
        process.stdin.flush()
        wait_until(lambda: len(images(shard)) == IMAGES // 2)
        process.stdin.close()
        assert json.loads(process.stdout.read()) == {}
    assert sum(one.status is Status.DOWNLOADED for one in told(shard).values()) == IMAGES // 2


def test_what_a_killed_run_left(shard: Shard, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next run takes leases back and segments in; who threw a category away has no use for it."""
    monkeypatch.setattr(segments, "LAST_MOMENTS", 0.0)
    work(shard, Lease(shard, never), do_nothing)
    result, said = shard.order.result_folder, []
    strange = Outcome(shard.tasks[0].row, Status.SKIPPED)
    ShardFolder(shard.folder).segment("1").touch()
    segments.append(ShardFolder(shard.folder).segment("1"), [("gone", strange)])
    segments.take_in_left(result, said.append)
    assert said == [segments.WAITING]
    assert not shard_folders(result)
    assert not (result / ".shards").exists()
    assert not (result / "gone").exists()
    journal = {one.row.image_code: one for one in Journal(CategoryFolder(result / "red").journal).outcomes()}
    assert len(journal) == IMAGES + 2
    segments.take_in_left(result, said.append)
    assert len(said) == 1


def test_what_a_broken_folder_does_not_take_waits(shard: Shard) -> None:
    """It costs no other category, and is taken in, once, when the folder is mended."""
    result, said = shard.order.result_folder, []
    red, blue = CategoryFolder(result / "red"), CategoryFolder(result / "blue")
    blue.make()
    red.journal.mkdir()
    ShardFolder(shard.folder).lease("0").unlink()
    rows = [task.row for task in shard.tasks[:3]]
    dead = [Outcome(row, Status.FAILED, Reason.TIMEOUT, "No.") for row in rows]
    segment = ShardFolder(shard.folder).segment("1")
    segment.touch()
    segments.append(segment, [("red", dead[0]), ("blue", dead[1]), ("red", dead[2])])

    segments.take_in_left(result, said.append)
    assert [one.row for one in Journal(blue.journal).outcomes()] == [rows[1]]
    assert [one.startswith(f"red: Cannot work with {red.journal}: ") for one in said] == [True]
    assert [(name, one.row) for name, one in segments.read(segment)] == [("red", rows[0]), ("red", rows[2])]

    red.journal.rmdir()
    segments.take_in_left(result, said.append)
    assert [one.row for one in Journal(red.journal).outcomes()] == [rows[0], rows[2]]
    assert len(blue.journal.read_text().splitlines()) == len(said) == 1
    assert not (result / ".shards").exists()


def test_a_segment_that_is_garbage(tmp_path: Path) -> None:
    """Lines that are not ours count as nothing."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'\xff\xfe\n{"folder": "red"}\n[1, 2]\n{"run": 1}\n{"ready": 5}\n{"ready": [[], "x"]}\n')
    assert segments.read(path) == []
    assert segments.told(path.read_bytes().splitlines()).ready == []
    assert segments.read(tmp_path / "not there.jsonl") == []


def test_a_worker_that_lacks_something(tmp_path: Path) -> None:
    """It is said what, and what to do."""
    assert remote_task.what_is_missing(["json"], str(tmp_path)) == ""
    assert "lacks no_such_library" in remote_task.what_is_missing(["json", "no_such_library"], str(tmp_path))
    assert "does not see" in remote_task.what_is_missing([], str(tmp_path / "nowhere" / "x"))


def test_the_luggage_is_all_that_a_shard_needs(shard: Shard, tmp_path: Path) -> None:
    """Unpacked elsewhere, our code does a shard with nothing else of ours."""
    home = remote_task._unpacked(code_bundle.packed(), code_bundle.digest(), tmp_path)
    assert home == remote_task._unpacked(b"", code_bundle.digest(), tmp_path), "it is unpacked once"
    rooms: list[bool] = []
    with (tmp_path / "complaints").open("w+b") as complaints:
        code, said = remote_task._run(home, pickle.dumps(shard), complaints, lambda: rooms.append(True))
    assert rooms == [True], "it says when only waiting is left, once"
    assert (code, json.loads(said)) == (0, {})
    assert len(told(shard)) == IMAGES + 2
