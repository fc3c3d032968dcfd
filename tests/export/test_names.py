"""Class names that collide with each other."""

from __future__ import annotations

from pathlib import Path

from tests.export.export_project import ExportProject, lines, splits

CUP = "n03147509"


def test_voc_labels_that_differ_by_case(tmp_path: Path) -> None:
    """The image sets of a class have the same file name in both splits, with a number if needed."""
    project = ExportProject(tmp_path, {CUP: "cup"})
    for number in range(20):
        project.add(CUP, f"{CUP}_{number}")
    split_of = splits(project.dataset(val_fraction=0.5))
    train, val = (sorted(code for code in split_of if split_of[code] == side) for side in ("train", "val"))
    project.add(CUP, train[0], None, (1, 1, 9, 9), label="Sky")
    for code, label in ((train[1], "sky"), (val[0], "sky"), (val[1], "an apple"), (train[2], "an apple")):
        project.add(CUP, code, None, (1, 1, 9, 9), label=label)
    main = project.export("voc", val_fraction=0.5) / "VOCdevkit" / "VOC2012" / "ImageSets" / "Main"
    positive = {
        path.name: sorted(line.split()[0] for line in lines(path) if line.endswith(" 1"))
        for path in main.glob("*y_*_*.txt")
    }
    assert positive == {
        "Sky_class_0_train.txt": [train[0]],
        "Sky_class_0_trainval.txt": [train[0]],
        "sky_class_2_train.txt": [train[1]],
        "sky_class_2_val.txt": [val[0]],
        "sky_class_2_trainval.txt": sorted([train[1], val[0]]),
    }
