"""Names of classes: what exports call categories and the labels of boxes.

Labels in the XML files of a result folder are folder names of categories, or words of users.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..catalog.folder_names import folder_names
from ..catalog.names import synonyms
from ..catalog.search import name_key, name_keys
from ..models.rows import Category
from ..models.settings import Settings

_WNID = re.compile(r"n[0-9]{8}")


def short_names(categories: Sequence[Category]) -> dict[str, str]:
    """Return the first synonym of each category by its code, as a folder name.

    Equal ones are followed by the second synonym, or by the code if there is none or that is equal, too.

    Examples
    --------
    >>> person = Category("n00007846", "person, individual, someone", "person,_individual,_someone")
    >>> short_names([person])
    {'n00007846': 'person'}
    """
    words = {category.code: synonyms(category.name) for category in categories}
    counts = Counter(first.casefold() for first, *_ in words.values())
    return folder_names(
        {
            code: ", ".join(names[: 2 if counts[names[0].casefold()] > 1 else 1])
            for code, names in words.items()
        }
    )


NAMES_OF: Mapping[str, Callable[[Sequence[Category]], Mapping[str, str]]] = {
    "name": lambda categories: {category.code: category.folder for category in categories},
    "short": short_names,
    "code": lambda categories: {category.code: category.code for category in categories},
}
"""The class names of categories by their codes, for each value of `--labels`."""


@dataclass(frozen=True)
class ClassNames:
    """The class names of an export.

    Attributes
    ----------
    of_images
        The class of the images in each selected category's folder.
    of_boxes
        The class of the boxes with each label; boxes with other labels are not exported.
    user_labels
        The labels that users wrote, sorted.
    """

    of_images: Mapping[str, str]
    of_boxes: Mapping[str, str]
    user_labels: tuple[str, ...]


def class_names(
    labels: Iterable[str],
    selected: Sequence[Category],
    everything: Sequence[Category],
    settings: Settings,
    *,
    own_labels: Container[str] = (),
) -> ClassNames:
    """Name the classes of an export.

    The class of a category is the one that the user gave it, or else its name as `--labels` states. If its
    folder, code or that name is the class of another category, they are one class. Case, and underscores for
    blanks, make no difference.

    A label that is the folder, code, name or synonym of a selected category, or its class, is of its class.
    Labels of other categories are classes only with `--other_classes True`. All other labels were written by
    users, and are classes.

    Parameters
    ----------
    labels
        The labels of all boxes.
    everything
        All categories.
    own_labels
        The labels in photos of the user's own, which users wrote, even if they are names of categories.
    """
    categories = _categories_of(set(labels), selected, everything, own_labels)
    others = {one.code: one for one in categories.values() if one} if settings.other_classes else {}
    named = list((others | {category.code: category for category in selected}).values())
    names = _with_classes(NAMES_OF[settings.labels](named), named)
    return ClassNames(
        of_images={category.folder: names[category.code] for category in selected},
        of_boxes={
            label: names[category.code] if category else label
            for label, category in categories.items()
            if category is None or category.code in names
        },
        user_labels=tuple(sorted(label for label, category in categories.items() if category is None)),
    )


def _with_classes(names: Mapping[str, str], categories: Sequence[Category]) -> dict[str, str]:
    """Replace the names of categories that have a class, or the name of a class."""
    classes = {name_key(one.class_name): one.class_name for one in categories if one.class_name}

    def class_name(category: Category) -> str:
        name = names[category.code]
        equal = (classes.get(name_key(text)) for text in (name, category.folder, category.code))
        return category.class_name or next(filter(None, equal), name)

    return {category.code: class_name(category) for category in categories}


def _categories_of(
    labels: Iterable[str],
    selected: Sequence[Category],
    everything: Sequence[Category],
    own_labels: Container[str],
) -> dict[str, Category | None]:
    """Find the category of each label; None for labels that users wrote."""
    by_key: dict[str, list[Category]] = {}
    for category in selected:
        for key in name_keys(category):
            by_key.setdefault(key, []).append(category)
    by_class = {name_key(category.class_name): category for category in selected if category.class_name}
    by_folder = {name: category for category in everything for name in (category.code, category.folder)}
    by_folder |= {name: category for category in selected for name in (category.code, category.folder)}
    codes = {category.code for category in selected}

    def find(label: str) -> Category | None:
        exact = by_folder.get(label)
        if exact is None or exact.code not in codes:
            if name_key(label) in by_class:
                return by_class[name_key(label)]
            spelled = by_key.get(name_key(label), [])
            if len({category.class_name or category.code for category in spelled}) == 1:
                return spelled[0]
            if label in own_labels:
                return None
        if exact is None and _WNID.fullmatch(label):
            return Category(label, label, label)
        return exact

    return {label: find(label) for label in labels}
