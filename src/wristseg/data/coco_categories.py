"""Match the categories of a COCO file with classes, by name.

Ids differ from tool to tool (SALT counts from 0, CVAT from 1, Roboflow puts a row 0 in front), so
they only connect annotations with names. Called by ``data.coco``.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from wristseg.classes import ClassTable
from wristseg.data import coco_rules
from wristseg.data.coco_rules import RuleError
from wristseg.data.problems import Problem
from wristseg.data.strict_json import show

__all__ = ["match_categories"]


def match_categories(
    categories: list[dict[str, Any]],
    annotations: list[dict[str, Any]],
    classes: ClassTable,
    problems: list[Problem],
) -> dict[int, int | None]:
    """Match every category with a class.

    Args:
        categories: Category records, each with an id of its own.
        annotations: Annotation records; an unknown category matters only if one uses it.
        classes: The classes to match with.
        problems: Faults are added here.

    Returns:
        Class id by category id; None for a category that is no class.
    """
    ids = (record.get("category_id") for record in annotations)
    used = Counter(number for number in ids if isinstance(number, int))
    class_ids: dict[int, int | None] = {}
    for record in categories:
        where = f"category {show(record['id'])}"
        class_ids[record["id"]] = None
        try:
            name = coco_rules.check_category(record)
        except RuleError as error:
            problems.append(Problem(f"{where}: {error}"))
            continue
        class_ids[record["id"]] = classes.id_of(name)
        if class_ids[record["id"]] is None and not _is_dummy(record, categories, used):
            count = used[record["id"]]
            problems.append(_unknown_category(name, count, classes))
    return class_ids


def _is_dummy(record: dict[str, Any], categories: list[dict[str, Any]], used: Counter[int]) -> bool:
    """Say whether a category is Roboflow's unused row 0, the supercategory of the others."""
    others = {other.get("supercategory") for other in categories if other is not record} - {None}
    return record["id"] == 0 and used[0] == 0 and (record["name"] in others or not others)


def _unknown_category(name: str, count: int, classes: ClassTable) -> Problem:
    text = f"category {show(name)} ({count} annotations) is not a class"
    if count == 0:
        return Problem(text + "; nothing uses it, so it is left out", "warning", topic="classes")
    known = ", ".join(classes.names)
    return Problem(
        f"{text} ({known}); rename it in the annotation tool, or name the classes of this data set"
        " in its dataset.yaml",
        topic="classes",
    )
