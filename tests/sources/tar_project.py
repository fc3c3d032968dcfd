"""A project, and a server with tars of whole categories and single images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from demo import pictures
from demo.web import Answer, Reply, Request, Web, resumable
from tests.project import Finished, Project, RunningScript
from tests.tars import tar

RED, BLUE, GREEN = "n00000001", "n00000002", "n00000003"
ACCEPTED = ("--accept_imagenet_terms", "True")
SAVED = frozenset({"downloaded", "already_present"})
PAGE = b"<!DOCTYPE html><html>no longer here</html>"
FILLER = ("readme.txt", bytes(5_000_000))
"""A member that is not an image, and takes long to arrive."""


def photos(count: int, code: str = RED) -> dict[str, bytes]:
    """Return drawn images by their names in a tar; all are different."""
    return {
        f"{code}_{number}.JPEG": pictures.jpeg(seed=int(code[1:]) * 1000 + number) for number in range(count)
    }


@dataclass
class Archive:
    """A server with tars at `/<code>.tar` and images at `/<image code>`, and runs that use it."""

    project: Project
    web: Web

    def keep(self, members: dict[str, bytes], *more: tuple[str, bytes], code: str = RED) -> None:
        """Serve a category's tar."""
        self.web.answer(f"/{code}.tar", resumable(tar(*members.items(), *more)))

    def serve_slowly(self, members: dict[str, bytes], pace: float, code: str = RED) -> None:
        """Serve a tar with so many bytes per second, except when it is resumed."""
        whole = resumable(tar(*members.items()))

        def reply(request: Request) -> Answer:
            return replace(whole(request), pace=None if "range" in request.headers else pace)

        self.web.answer(f"/{code}.tar", reply)

    def link(self, image_code: str, reply: Reply | None = None) -> None:
        """Add a row to the URL table; without a reply the URL is dead."""
        self.project.url(image_code, self.web.url(f"/{image_code}"))
        if reply:
            self.web.answer(f"/{image_code}", reply)

    def flags(self, *flags: str, source: str = "archive") -> tuple[str, ...]:
        """Return the flags of a run that takes images from the archive."""
        place = () if source == "urls" else ("--archive_url", self.web.url("/{code}.tar"))
        return ("--source", source, *place, *ACCEPTED, *flags)

    def run(self, *flags: str, source: str = "archive") -> Finished:
        """Run the script; check that it prints no traceback."""
        finished = self.project.run(*self.flags(*flags, source=source))
        assert "Traceback" not in finished.err
        return finished

    def start(self, *flags: str, source: str = "archive") -> RunningScript:
        """Start the script."""
        return self.project.start(*self.flags(*flags, source=source))

    def requested(self) -> list[str]:
        """Return the names requested since the last call: image codes and tars."""
        requested = [request.path[1:] for request in self.web.requests]
        self.web.requests.clear()
        return requested

    def rows(self, folder: str = "red") -> list[tuple[str, str, str]]:
        """Return image code, status and reason of the rows of a report."""
        return [(row["image_code"], row["status"], row["reason"]) for row in self.project.report(folder)]

    def saved(self, folder: str = "red") -> list[str]:
        """Return the numbers of saved images, in the order of the report; check that no others exist."""
        saved = [row["file"] for row in self.project.report(folder) if row["status"] in SAVED]
        assert sorted(saved) == sorted(f"Images/{name}" for name in self.project.images(folder))
        return [Path(file).stem.partition("_")[2] for file in saved]

    def image(self, name: str, folder: str = "red") -> bytes:
        """Read the saved image of an image code."""
        return (self.project.result / folder / "Images" / name.replace(".JPEG", ".jpg")).read_bytes()

    def left(self) -> set[str]:
        """Return the names in the result folder, except those of categories."""
        folder = self.project.result
        return {name for name in self.project.folders() if not (folder / name / "Images").exists()}
