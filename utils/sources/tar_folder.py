"""ImageNet's tars of whole categories in a folder (`--archive_url FOLDER`), read as those of a copy are."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from ..copies.members import Kind, Member
from ..copies.tar_files import CategoryTar
from ..fetch.locations import local_path
from ..models.rows import Candidate, Category, UrlRow
from ..text import pluralize
from .base import POSITION_OFFSET, CandidateStream, ListedStream, Request, SourceContext
from .tar_address import CODE, address_template
from .tar_source import TarSource


class TarFolderSource(TarSource):
    """Tars on disk."""

    listable = True
    max_open = 256

    def __init__(self, context: SourceContext) -> None:
        super().__init__(context, None)
        self._template = address_template(context.settings.archive_url)

    def describe(self, category: Category) -> str:
        """Count the images in the tar."""
        return f"{pluralize(self.expected(category), 'image')} in its tar"

    def expected(self, category: Category) -> int:
        """Count the images that will be considered."""
        count = len(_images(self._open(category.code)))
        return count if category.how_many < 0 else min(category.how_many, count)

    def find_rows(self, category: Category, image_codes: Collection[str]) -> Iterator[UrlRow]:
        """Find images in the category's tar."""
        tar = self._open(category.code)
        return (self._row(one, category.code) for one in _images(tar) if one.image_code in image_codes)

    def stream(self, request: Request) -> CandidateStream:
        """Return the images in the category's tar."""
        code, only = request.category.code, request.only
        tar = self._open(code)
        found: Iterable[Member] = _images(tar)
        if self._context.settings.with_annotation and only is None:
            only = frozenset(request.annotations)
        if only is not None:
            found = (one for one in found if one.image_code in only)
        stream = ListedStream(
            (
                Candidate(
                    row=self._row(one, code),
                    rejection=None,
                    annotation=request.annotations.get(one.image_code),
                    local_image=tar.image(one),
                )
                for one in found
            ),
            request.limit,
        )
        stream.problem = " ".join(tar.problems)
        return stream

    def stop(self) -> None:
        """Do nothing: there are no downloads."""

    def finish(self, category: Category) -> None:
        """Do nothing: there are no part files."""

    def _open(self, code: str) -> CategoryTar:
        address = self._template.replace(CODE, code)
        return CategoryTar(local_path(address), address, code)

    def _row(self, member: Member, code: str) -> UrlRow:
        address = self._template.replace(CODE, code)
        return UrlRow(POSITION_OFFSET + member.place[0], member.image_code, f"{address}#{member.name}")


def _images(tar: CategoryTar) -> list[Member]:
    """List the images, each image code once."""
    found: dict[str, Member] = {}
    for one in tar.members(tar.code):
        if one.kind is Kind.IMAGE:
            found.setdefault(one.image_code, one)
    return list(found.values())
