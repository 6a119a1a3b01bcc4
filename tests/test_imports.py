"""Imports between rooms point downwards only."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "poselift"

ORDER = (
    ("errors",),
    ("skeleton", "files", "cores"),
    ("layouts", "poses"),
    ("geometry", "conversion"),
    ("motion",),
    ("keypoints",),
    ("metrics", "data"),
    ("checkpoints", "detect"),
    ("models",),
    ("runtime", "evaluation", "viewer"),
    ("training", "export"),
    ("bench",),
    ("cli",),
)
"""From the ground up; rooms side by side do not know each other."""

LEVEL = {room: level for level, rooms in enumerate(ORDER) for room in rooms}
FACADE = {"__init__.py", "__main__.py"}
"""Of the package itself: they know every room and are known by none."""
FILES = sorted(path for path in SOURCE.rglob("*.py") if str(path.relative_to(SOURCE)) not in FACADE)


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported_rooms(tree: ast.AST) -> set[str]:
    """Rooms that a module imports anywhere, also inside functions."""
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            if node.module == "poselift":
                names += [f"poselift.{alias.name}" for alias in node.names]
            else:
                names.append(node.module or "")
    parts = [name.split(".") for name in names]
    return {part[1] for part in parts if part[0] == "poselift" and len(part) > 1}


def test_every_room_has_its_place():
    assert {room_of(path) for path in FILES} == set(LEVEL)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_downwards(path):
    room = room_of(path)
    rooms = imported_rooms(ast.parse(path.read_text(encoding="utf-8"))) - {"__version__", room}
    upwards = {other for other in rooms if LEVEL.get(other, 99) >= LEVEL[room]}
    assert not upwards, f"{room} must not know {', '.join(sorted(upwards))}"


def test_a_wrong_import_would_be_seen():
    assert imported_rooms(ast.parse("def f():\n    from poselift.cli.main import main")) == {"cli"}
    assert imported_rooms(ast.parse("from poselift import runtime, cli")) == {"cli", "runtime"}
    assert imported_rooms(ast.parse("import poselift.models.htnet")) == {"models"}
