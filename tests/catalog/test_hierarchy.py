"""Tests of `utils.catalog.hierarchy`."""

from __future__ import annotations

import itertools

import pytest

from utils.catalog import categories, hierarchy
from utils.catalog.categories import Synset
from utils.catalog.hierarchy import Hierarchy

HUSKY, SLED_DOG, MALAMUTE, DOG = "n02110185", "n02109811", "n02110063", "n02084071"


def hierarchy_of(**parents: str) -> Hierarchy:
    """Build a hierarchy from the parents of each category; names are the codes."""
    return Hierarchy(Synset(code, code, tuple(above.split())) for code, above in parents.items())


@pytest.fixture
def diamond() -> Hierarchy:
    """Return a hierarchy in which `pet_dog` has two parents at different depths."""
    return hierarchy_of(
        animal="",
        pet="animal",
        mammal="animal",
        canine="mammal",
        pet_dog="canine pet",
        poodle="pet_dog",
        wolf="canine",
    )


def test_descendants_depth_first_without_duplicates(diamond: Hierarchy) -> None:
    """A category with several parents is listed once; each category comes before its own descendants."""
    assert diamond.descendants(["animal"]) == ["pet", "pet_dog", "poodle", "mammal", "canine", "wolf"]
    assert diamond.descendants(["pet", "canine"]) == ["pet_dog", "poodle", "wolf"]
    assert diamond.descendants(["poodle"]) == []


def test_descendants_exclude_the_given_codes(diamond: Hierarchy) -> None:
    """Descendants of other given codes are excluded, too; a code may be given twice."""
    assert diamond.descendants(["animal", "canine", "poodle", "canine"]) == [
        "pet",
        "pet_dog",
        "mammal",
        "wolf",
    ]


def test_path_is_the_shortest(diamond: Hierarchy) -> None:
    """The path starts at a root and ends with the category."""
    assert diamond.path("poodle") == ["animal", "pet", "pet_dog", "poodle"]
    assert diamond.path("wolf") == ["animal", "mammal", "canine", "wolf"]
    assert diamond.path("animal") == ["animal"]


def test_nearest_selected_ancestor(diamond: Hierarchy) -> None:
    """Each descendant gets its nearest ancestor; of two at the same distance, the first one given."""
    nearest = diamond.nearest(["animal", "canine"])
    assert nearest["wolf"] == nearest["pet_dog"] == nearest["poodle"] == nearest["canine"] == "canine"
    assert nearest["pet"] == nearest["mammal"] == "animal"
    assert diamond.nearest(["canine", "pet"])["pet_dog"] == "canine"
    assert diamond.nearest(["pet", "canine"])["poodle"] == "pet"


def test_unknown_code_has_no_relatives(diamond: Hierarchy) -> None:
    """A row that the user added has no parents and no subcategories; its name is its code."""
    assert diamond.path("mine") == ["mine"]
    assert diamond.descendants(["mine"]) == []
    assert diamond.name("mine") == "mine"


def test_shipped_hierarchy() -> None:
    """Descendants and paths of well-known categories."""
    shipped = hierarchy.load()
    assert shipped.descendants([SLED_DOG]) == [MALAMUTE, HUSKY]
    assert shipped.descendants([DOG]).count(HUSKY) == 1
    assert len(shipped.descendants([DOG])) == 189
    assert [shipped.name(code).split(",")[0] for code in shipped.path(HUSKY)] == [
        "organism",
        "animal",
        "domestic animal",
        "dog",
        "working dog",
        "sled dog",
        "Siberian husky",
    ]


def test_shipped_hierarchy_has_no_cycle() -> None:
    """Every category has a path from a root, and all categories are reachable from the roots."""
    shipped = categories.load_synsets()
    tree = Hierarchy(shipped)
    parents = {category.code: category.parents for category in shipped}
    for code, above in parents.items():
        path = tree.path(code)
        assert path[-1] == code
        assert not parents[path[0]]
        assert all(upper in parents[lower] for upper, lower in itertools.pairwise(path))
        assert code not in above
    roots = [code for code, above in parents.items() if not above]
    assert set(tree.descendants(roots)) | set(roots) == set(parents)
