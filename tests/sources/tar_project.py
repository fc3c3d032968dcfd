"""A user's folder, and a web that keeps tars of whole categories beside single images."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from demo import pictures
from demo.web import Answer, Reply, Request, Web, resumable
from tests.project import Finished, Project
from tests.tars import tar

RED, BLUE, GREEN = "n00000001", "n00000002", "n00000003"
ACCEPTED = ("--accept_imagenet_terms", "True")
STANDS = frozenset({"downloaded", "already_present"})
PAGE = b"<!DOCTYPE html><html>no longer here</html>"
FILLER = ("readme.txt", bytes(5_000_000))
"""A member that is no image, and takes its time."""


def photos(count: int, code: str = RED) -> dict[str, bytes]:
    """Draw images, by the names that they have in a tar; no two are alike, nor in two categories."""
    return {
        f"{code}_{number}.JPEG": pictures.jpeg(seed=int(code[1:]) * 1000 + number) for number in range(count)
    }


@dataclass
class Archive:
    """Tars at `/<code>.tar`, images at `/<image code>`, and runs that use them."""

    project: Project
    web: Web

    def keep(self, members: dict[str, bytes], *more: tuple[str, bytes], code: str = RED) -> None:
        """Let the archive have a category's tar."""
        self.web.answer(f"/{code}.tar", resumable(tar(*members.items(), *more)))

    def keep_slowly(self, members: dict[str, bytes], pace: float, code: str = RED) -> None:
        """Let it have one that comes with so many bytes per second, but for what is resumed."""
        whole = resumable(tar(*members.items()))

        def reply(request: Request) -> Answer:
            return replace(whole(request), pace=None if "range" in request.headers else pace)

        self.web.answer(f"/{code}.tar", reply)

    def link(self, image_code: str, reply: Reply | None = None) -> None:
        """Add a row to the URL table; without a reply its link is dead."""
        self.project.url(image_code, self.web.url(f"/{image_code}"))
        if reply:
            self.web.answer(f"/{image_code}", reply)

    def flags(self, *flags: str, source: str = "archive") -> tuple[str, ...]:
        """Give the flags of a run that takes images from the archive."""
        place = () if source == "urls" else ("--archive_url", self.web.url("/{code}.tar"))
        return ("--source", source, *place, *ACCEPTED, *flags)

    def run(self, *flags: str, source: str = "archive") -> Finished:
        """Run the script; no run shows a traceback."""
        finished = self.project.run(*self.flags(*flags, source=source))
        assert "Traceback" not in finished.err
        return finished

    def start(self, *flags: str, source: str = "archive") -> subprocess.Popen[str]:
        """Start the script."""
        return self.project.start(*self.flags(*flags, source=source))

    def asked(self) -> list[str]:
        """Say what the server was asked for since this was called before: image codes, and names of tars."""
        asked = [request.path[1:] for request in self.web.requests]
        self.web.requests.clear()
        return asked

    def rows(self, folder: str = "red") -> list[tuple[str, str, str]]:
        """Give image code, status and reason of a report's rows."""
        return [(row["image_code"], row["status"], row["reason"]) for row in self.project.report(folder)]

    def standing(self, folder: str = "red") -> list[str]:
        """Name the images that stand by their numbers, in the report's order; no other may be there."""
        standing = [row["file"] for row in self.project.report(folder) if row["status"] in STANDS]
        assert sorted(standing) == sorted(f"Images/{name}" for name in self.project.images(folder))
        return [Path(file).stem.partition("_")[2] for file in standing]

    def image(self, name: str, folder: str = "red") -> bytes:
        """Read the image that a member of a tar, or the URL of the same code, has become."""
        return (self.project.result / folder / "Images" / name.replace(".JPEG", ".jpg")).read_bytes()

    def left(self) -> set[str]:
        """Name what lies in the result folder, and is no category's."""
        folder = self.project.result
        return {name for name in self.project.folders() if not (folder / name / "Images").exists()}
