"""Up and down in WordNet: every descendant once, the shortest way up, the nearest mark."""

from __future__ import annotations

import itertools

import pytest

from utils.catalog import categories, hierarchy
from utils.catalog.categories import ShippedCategory
from utils.catalog.hierarchy import Hierarchy

HUSKY, SLED_DOG, MALAMUTE, DOG, CAT = "n02110185", "n02109811", "n02110063", "n02084071", "n02121808"


def made(**parents: str) -> Hierarchy:
    """Make a hierarchy of categories that are called by their codes."""
    return Hierarchy(ShippedCategory(code, code, tuple(above.split())) for code, above in parents.items())


@pytest.fixture
def diamond() -> Hierarchy:
    """Give one in which `pet_dog` has two parents, one near the top and one far from it."""
    return made(
        animal="",
        pet="animal",
        mammal="animal",
        canine="mammal",
        pet_dog="canine pet",
        poodle="pet_dog",
        wolf="canine",
    )


def test_all_descendants_each_once(diamond: Hierarchy) -> None:
    """However many ways lead down to one; each is followed by what is below it."""
    assert diamond.below(["animal"]) == ["pet", "pet_dog", "poodle", "mammal", "canine", "wolf"]
    assert diamond.below(["pet", "canine"]) == ["pet_dog", "poodle", "wolf"]
    assert diamond.below(["poodle"]) == []


def test_what_is_asked_for_is_not_below_itself(diamond: Hierarchy) -> None:
    """Even if it lies below something else that is asked for, or is asked for twice."""
    assert diamond.below(["animal", "canine", "poodle", "canine"]) == ["pet", "pet_dog", "mammal", "wolf"]


def test_the_shortest_way_up_is_shown(diamond: Hierarchy) -> None:
    """Root first, itself last."""
    assert diamond.path("poodle") == ["animal", "pet", "pet_dog", "poodle"]
    assert diamond.path("wolf") == ["animal", "mammal", "canine", "wolf"]
    assert diamond.path("animal") == ["animal"]


def test_the_nearest_mark_counts(diamond: Hierarchy) -> None:
    """Marks spread downwards, until they meet another; equally near, the first one wins."""
    spread = diamond.spread({"animal": "A", "canine": "C"})
    assert spread["wolf"] == spread["pet_dog"] == spread["poodle"] == "C"
    assert spread["pet"] == spread["mammal"] == "A"
    assert diamond.spread({"canine": "C", "pet": "P"})["pet_dog"] == "C"
    assert diamond.spread({"pet": "P", "canine": "C"})["poodle"] == "P"


def test_strangers_have_no_relatives(diamond: Hierarchy) -> None:
    """A row of the user's own has no parents, no subcategories, and its code for a name."""
    assert diamond.path("mine") == ["mine"]
    assert diamond.below(["mine"]) == []
    assert diamond.name("mine") == "mine"


def test_the_shipped_hierarchy() -> None:
    """Dogs that pull sleds are huskies and malamutes; a cat is a pet as well as a feline, and once."""
    shipped = hierarchy.shipped()
    assert shipped.below([SLED_DOG]) == [MALAMUTE, HUSKY]
    assert shipped.below([DOG]).count(HUSKY) == 1
    assert len(shipped.below([DOG])) == 189
    assert [shipped.name(code).split(",")[0] for code in shipped.path(HUSKY)] == [
        "organism",
        "animal",
        "domestic animal",
        "dog",
        "working dog",
        "sled dog",
        "Siberian husky",
    ]


def test_the_shipped_hierarchy_has_no_circle() -> None:
    """Every category has a way up to one without parents, and is not below itself."""
    shipped = categories.shipped()
    tree = Hierarchy(shipped)
    parents = {category.code: category.parents for category in shipped}
    for code, above in parents.items():
        path = tree.path(code)
        assert path[-1] == code
        assert not parents[path[0]]
        assert all(upper in parents[lower] for upper, lower in itertools.pairwise(path))
        assert code not in above
    roots = [code for code, above in parents.items() if not above]
    assert set(tree.below(roots)) | set(roots) == set(parents)
