"""Bad input to every verb: one clear line, the right exit code, and nothing written.

The readers of keypoints have more such tests of their own in ``tests/keypoints``.
"""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from poselift import keypoints, motion
from poselift.poses import Pose2D, Pose3D

Argv = list[object]


@dataclass(frozen=True)
class Place:
    """Where a bad case is built.

    Args:
        folder: empty; the output belongs into ``folder / "out"``.
        walk: good keypoints, also in the file ``walk_file``.
        checkpoint: a good checkpoint folder.
        capture: folder with good motion capture.
        recipe: a good recipe.
    """

    folder: Path
    walk: Pose2D
    walk_file: Path
    checkpoint: Path
    capture: Path
    recipe: Path

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def text(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def arrays(self, name: str = "bad.npz", **changes: Any) -> Path:
        """A keypoint file with some arrays other than they should be; ``None``: left out."""
        good = {"keypoints": self.walk.keypoints, "fps": 30.0, "layout": "h36m-17"}
        arrays = {key: value for key, value in (good | changes).items() if value is not None}
        path = self.folder / name
        with path.open("wb") as file:
            np.savez(file, allow_pickle=True, **arrays)
        return path

    def motions(self, **changes: Any) -> Path:
        """A motion capture file with some arrays other than they should be."""
        with np.load(self.capture / "motions_val.npz") as file:
            arrays = {**file, **changes}
        path = self.folder / "motions.npz"
        np.savez(path, **arrays)
        return path

    def broken_checkpoint(
        self, config: Callable[[dict[str, Any]], Any] = lambda content: None
    ) -> Path:
        """A copy of the checkpoint folder with a changed ``config.json``."""
        folder = self.folder / "checkpoint"
        shutil.copytree(self.checkpoint, folder)
        path = folder / "config.json"
        content = json.loads(path.read_text())
        config(content)
        path.write_text(json.dumps(content))
        return folder

    def broken_weights(self, change: Callable[[dict[str, Any]], Any]) -> Path:
        """A copy of the checkpoint folder with changed weights."""
        folder = self.broken_checkpoint()
        path = folder / "weights.safetensors"
        weights = load_file(path)
        change(weights)
        save_file(weights, path)
        return folder

    def lift(self, *inputs: object, **options: object) -> Argv:
        """Arguments that lift ``inputs`` (the good file if none) with the small network."""
        options = {"model": self.checkpoint, "o": self.out, **options}
        argv: Argv = ["lift", *(inputs or [self.walk_file])]
        for name, value in options.items():
            argv += [f"-{name}" if len(name) == 1 else f"--{name}", value]
        return argv

    def lift_with(self, model: Path) -> Argv:
        return self.lift(model=model)

    def evaluate(self, data: object, **options: object) -> Argv:
        argv: Argv = ["evaluate", "--model", self.checkpoint, "--data", data]
        argv += ["--json", self.out / "report.json"]
        for name, value in options.items():
            argv += [f"--{name}", value]
        return argv

    def train(self, recipe: object, *more: object, data: object = None) -> Argv:
        return ["train", recipe, "--data", data or self.capture, "-o", self.out, *more]

    def edited(self, old: str, new: str) -> Path:
        """The recipe with other text in it."""
        text = self.recipe.read_text()
        assert old in text
        return self.text("bad.toml", text.replace(old, new))

    def motion_file(self, name: str = "motion.npz") -> Path:
        joints = np.zeros((1, 4, 17, 3))
        return motion.write(Pose3D(joints), self.folder / name).paths[0]


@pytest.fixture
def place(tmp_path, walk, checkpoint, capture, recipe) -> Place:
    folder = tmp_path / "case"
    folder.mkdir()
    walk_file = keypoints.write_npz(folder / "walk.npz", walk)
    return Place(folder, walk, walk_file, checkpoint, capture, recipe)


def cut(path: Path, share: float = 0.5) -> Path:
    """The file without its end."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def folder(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


def with_nan(values: Any) -> Any:
    return np.full_like(values, np.nan)


def with_inf(values: Any) -> Any:
    values = values.copy()
    values[0, 3, 2, 1] = np.inf
    return values


class Harmless:
    """Would write a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.write_text, (self.path, "a pickle was run")


def pickled_weights(p: Place) -> Path:
    model = p.broken_checkpoint()
    (model / "weights.safetensors").write_bytes(pickle.dumps(Harmless(p.folder / "harm")))
    return model


def torch_weights(p: Place) -> Path:
    model = p.broken_checkpoint()
    torch.save(load_file(model / "weights.safetensors"), model / "weights.safetensors")
    return model


def without(path: Path) -> Path:
    path.unlink()
    return path


def unknown_network(content: dict[str, Any]) -> None:
    content["model"] = "nanohtnett"


BAD: dict[str, tuple[int, str, Callable[[Place], Argv]]] = {
    # The command line: code 2.
    "unknown verb": (2, "did you mean lift", lambda p: ["lifft", p.walk_file]),
    "unknown option": (2, "--colour", lambda p: [*p.lift(), "--colour", "red"]),
    "abbreviated option": (2, "--form", lambda p: [*p.lift(), "--form", "npz"]),
    "unknown option of no verb": (2, "--colour", lambda p: ["--colour"]),
    "lift nothing": (2, "INPUT", lambda p: ["lift", "-o", p.out]),
    "lift to nowhere": (2, "-o/--output", lambda p: ["lift", p.walk_file]),
    "lift to an empty name": (2, "not the name", lambda p: p.lift(o="")),
    "unknown format": (2, "'obj' is not a format", lambda p: p.lift(format="npz,obj")),
    "no format": (2, "is not a format", lambda p: p.lift(format="")),
    "fps of zero": (2, "'0' is not a positive number", lambda p: p.lift(fps=0)),
    "negative fps": (2, "'-25' is not a positive number", lambda p: p.lift(fps=-25)),
    "infinite fps": (2, "'inf' is not a positive number", lambda p: p.lift(fps="inf")),
    "fps that is not a number": (2, "'nan' is not a", lambda p: p.lift(fps="nan")),
    "fps in words": (2, "'fast' is not a", lambda p: p.lift(fps="fast")),
    "size of one number": (2, "'1000' is not WIDTHxHEIGHT", lambda p: p.lift(size="1000")),
    "size of zero": (2, "'0' is not a whole number", lambda p: p.lift(size="0x100")),
    "negative size": (2, "'-100' is not a whole number", lambda p: p.lift(size="100x-100")),
    "stride of zero": (2, "'0' is not a whole number", lambda p: p.lift(stride=0)),
    "threads of zero": (2, "'0' is not a whole number", lambda p: p.lift(threads=0)),
    "unknown backend": (2, "'gpu'", lambda p: p.lift(backend="gpu")),
    "unknown layout": (2, "did you mean coco-17", lambda p: p.lift(layout="coco-117")),
    "unknown source": (2, "unknown source 'openpoze'", lambda p: p.lift(source="openpoze")),
    "unknown conversion": (2, "unknown conversion", lambda p: p.lift(conversion="voodoo")),
    "unknown model": (2, "unknown model 'nanohtnetz'", lambda p: p.lift(model="nanohtnetz")),
    "two inputs of one name": (
        2,
        "would both become",
        lambda p: p.lift(p.walk_file, shutil.copy(p.walk_file, folder(p.folder / "b"))),
    ),
    "lift onto the input": (2, "would replace the input", lambda p: p.lift(o=p.folder)),
    # Keypoint files: code 1.
    "no such input": (1, "none.npz: no such file", lambda p: p.lift(p.folder / "none.npz")),
    "second input bad": (1, "cut.npz", lambda p: p.lift(p.walk_file, cut(p.arrays("cut.npz")))),
    "empty folder": (1, "no .json files", lambda p: p.lift(folder(p.folder / "empty"))),
    "empty file": (1, "empty", lambda p: p.lift(p.text("empty.json", ""))),
    "empty archive": (1, "", lambda p: p.lift(p.text("empty.npz", ""))),
    "truncated archive": (1, "cut.npz", lambda p: p.lift(cut(p.arrays("cut.npz")))),
    "truncated JSON": (1, "broken JSON", lambda p: p.lift(p.text("a.json", '[{"image_id": "0'))),
    "pickled object": (
        1,
        "bad.npz",
        lambda p: p.lift(p.arrays(keypoints=np.array([Harmless(p.folder / "harm")]))),
    ),
    "pickle file": (
        1,
        "a pickle",
        lambda p: p.lift(p.text("a.pkl", pickle.dumps(Harmless(p.folder / "harm")))),
    ),
    "video": (
        1,
        "",
        lambda p: p.lift(p.text("walk.mp4", b"\0\0\0\x18ftypmp42" + bytes(64))),
    ),
    "no layout": (1, "--layout", lambda p: p.lift(p.arrays(layout=None))),
    "unknown layout in the file": (1, "h36m-71", lambda p: p.lift(p.arrays(layout="h36m-71"))),
    "layout of other joints": (1, "17 joints", lambda p: p.lift(layout="halpe-26")),
    "one number": (1, "shape ()", lambda p: p.lift(p.arrays(keypoints=np.float32(1)))),
    "no frames": (1, "", lambda p: p.lift(p.arrays(keypoints=np.zeros((1, 0, 17, 2))))),
    "3D joints": (1, "17, 3)", lambda p: p.lift(p.arrays(keypoints=np.ones((5, 17, 3))))),
    "texts": (1, "", lambda p: p.lift(p.arrays(keypoints=np.full((5, 17, 2), "a")))),
    "all NaN": (1, "no joint", lambda p: p.lift(p.arrays(keypoints=with_nan(p.walk.keypoints)))),
    "infinite": (1, "infinite", lambda p: p.lift(p.arrays(keypoints=with_inf(p.walk.keypoints)))),
    "scores of another shape": (1, "scores", lambda p: p.lift(p.arrays(scores=np.ones((3, 17))))),
    "times that go back": (1, "times", lambda p: p.lift(p.arrays(times=np.arange(30)[::-1]))),
    "negative width": (1, "-640", lambda p: p.lift(p.arrays(width=-640, height=480))),
    "negative fps in the file": (1, "fps of -30", lambda p: p.lift(p.arrays(fps=-30.0))),
    "persons of 17 and 18 joints": (
        1,
        "17 and 25 joints",
        lambda p: p.lift(
            p.text(
                "mixed.json",
                json.dumps(
                    [
                        {"image_id": "0.jpg", "category_id": 1, "keypoints": [9] * n, "score": 1}
                        for n in (51, 75)
                    ]
                ),
            )
        ),
    ),
    "a motion file to lift": (1, "", lambda p: p.lift(p.motion_file())),
    # Places to write: code 1.
    "output is a file": (1, "is not a folder", lambda p: p.lift(o=p.text("file", ""))),
    "output below a file": (1, "is not a folder", lambda p: p.lift(o=p.text("f", "") / "a" / "b")),
    "output file is a folder": (
        1,
        "is a folder",
        lambda p: p.lift(o=folder(p.folder / "o" / "walk.npz").parent),
    ),
    "output in no file system": (1, "", lambda p: p.lift(o="/proc/none/out")),
    # Checkpoints: code 1.
    "model is an empty folder": (1, "config.json", lambda p: p.lift_with(folder(p.folder / "m"))),
    "model is a keypoint file": (1, "walk.npz", lambda p: p.lift_with(p.walk_file)),
    "config is no JSON": (
        1,
        "config.json",
        lambda p: p.lift_with(cut(p.broken_checkpoint() / "config.json").parent),
    ),
    "config is a list": (
        1,
        "config.json",
        lambda p: p.lift_with(p.text(f"{folder(p.folder / 'm').name}/config.json", "[]").parent),
    ),
    "config without fps": (
        1,
        "fps",
        lambda p: p.lift_with(p.broken_checkpoint(lambda c: c.pop("fps"))),
    ),
    "config with negative fps": (
        1,
        "fps is -50",
        lambda p: p.lift_with(p.broken_checkpoint(lambda c: c.update(fps=-50))),
    ),
    "config of another skeleton": (
        1,
        "skeleton",
        lambda p: p.lift_with(p.broken_checkpoint(lambda c: c.update(skeleton="coco-17"))),
    ),
    "unknown normalisation": (
        1,
        "normalisation",
        lambda p: p.lift_with(p.broken_checkpoint(lambda c: c.update(normalisation="box"))),
    ),
    "unknown network": (
        1,
        "nanohtnett",
        lambda p: p.lift_with(p.broken_checkpoint(unknown_network)),
    ),
    "unknown network option": (
        1,
        "wings",
        lambda p: p.lift_with(p.broken_checkpoint(lambda c: c["config"].update(wings=2))),
    ),
    "network of no frames": (
        1,
        "num_frames",
        lambda p: p.lift_with(p.broken_checkpoint(lambda c: c["config"].update(num_frames=0))),
    ),
    "network option of a wrong kind": (
        1,
        "",
        lambda p: p.lift_with(p.broken_checkpoint(lambda c: c["config"].update(dim="wide"))),
    ),
    "no weights": (
        1,
        "weights.safetensors",
        lambda p: p.lift_with(without(p.broken_checkpoint() / "weights.safetensors").parent),
    ),
    "truncated weights": (
        1,
        "weights.safetensors",
        lambda p: p.lift_with(cut(p.broken_checkpoint() / "weights.safetensors").parent),
    ),
    "empty weights": (
        1,
        "weights.safetensors",
        lambda p: p.lift_with(cut(p.broken_checkpoint() / "weights.safetensors", 0).parent),
    ),
    "pickle in place of weights": (
        1,
        "weights.safetensors",
        lambda p: p.lift_with(pickled_weights(p)),
    ),
    "torch file in place of weights": (
        1,
        "weights.safetensors",
        lambda p: p.lift_with(torch_weights(p)),
    ),
    "weights with a missing key": (
        1,
        "missing",
        lambda p: p.lift_with(p.broken_weights(lambda w: w.pop(min(w)))),
    ),
    "weights with an extra key": (
        1,
        "unexpected",
        lambda p: p.lift_with(p.broken_weights(lambda w: w.update(extra=np.ones(2)))),
    ),
    "weights of another shape": (
        1,
        "misshapen",
        lambda p: p.lift_with(p.broken_weights(lambda w: w.update({min(w): np.ones((2, 7))}))),
    ),
    "graph that is none": (
        1,
        "model.onnx",
        lambda p: p.lift_with(p.text(f"{p.broken_checkpoint().name}/model.onnx", "graph").parent),
    ),
    "checkpoint without graph": (1, "no exported graph", lambda p: p.lift(backend="onnxruntime")),
    # Evaluation.
    "evaluate without data": (2, "--data", lambda p: ["evaluate", "--model", p.checkpoint]),
    "unknown protocol": (2, "'h37m'", lambda p: p.evaluate(p.motions(), protocol="h37m")),
    "unknown noise": (2, "'loud'", lambda p: p.evaluate(p.motions(), noise="loud")),
    "no such data": (1, "no such file", lambda p: p.evaluate(p.folder / "none.npz")),
    "truncated data": (1, "motions.npz", lambda p: p.evaluate(cut(p.motions()))),
    "keypoints as data": (1, "walk.npz", lambda p: p.evaluate(p.walk_file)),
    "data of NaN": (
        1,
        "not finite",
        lambda p: p.evaluate(p.motions(pos=np.full((60, 17, 3), np.nan))),
    ),
    "data of negative length": (
        1,
        "sequence 0",
        lambda p: p.evaluate(p.motions(length=np.array([-3, 30]))),
    ),
    "data of other joints": (1, "(N, 17, 3)", lambda p: p.evaluate(p.motions(pos=np.ones((9, 3))))),
    "report is a folder": (
        1,
        "is a folder",
        lambda p: [*p.evaluate(p.motions())[:-1], folder(p.folder / "report.json")],
    ),
    "report onto the data": (
        2,
        "would replace the input",
        lambda p: [*p.evaluate(p.motions())[:-1], p.folder / "motions.npz"],
    ),
    # Training.
    "no recipe": (1, "none.toml", lambda p: p.train(p.folder / "none.toml")),
    "recipe is no TOML": (1, "bad.toml", lambda p: p.train(p.text("bad.toml", "[train"))),
    "recipe is empty": (1, "'model'", lambda p: p.train(p.text("bad.toml", ""))),
    "typo in the recipe": (
        1,
        "unknown key 'train.batchsize'",
        lambda p: p.train(p.edited("batch_size", "batchsize")),
    ),
    "recipe without steps": (
        1,
        "train.steps and epochs are not given",
        lambda p: p.train(p.edited("steps = 3", "")),
    ),
    "recipe of no steps": (
        1,
        "train.steps = 0",
        lambda p: p.train(p.edited("steps = 3", "steps = 0")),
    ),
    "recipe of a wrong type": (
        1,
        "train.steps",
        lambda p: p.train(p.edited("steps = 3", 'steps = "many"')),
    ),
    "recipe of an unknown network": (
        1,
        "nanohtnett",
        lambda p: p.train(p.edited('"nanohtnet"', '"nanohtnett"')),
    ),
    "unknown network option in the recipe": (
        1,
        "wings",
        lambda p: p.train(p.edited("options = {", "options = { wings = 2,")),
    ),
    "override without a value": (2, "'steps'", lambda p: p.train(p.recipe, "steps")),
    "override of an unknown key": (
        2,
        "train.stepps",
        lambda p: p.train(p.recipe, "train.stepps=4"),
    ),
    "override of a wrong type": (2, "train.steps", lambda p: p.train(p.recipe, "train.steps=a")),
    "no data to train on": (
        1,
        "motions_train.npz",
        lambda p: p.train(p.recipe, data=folder(p.folder / "data")),
    ),
    "run folder is a file": (
        1,
        "is not a folder",
        lambda p: ["train", p.recipe, "--data", p.capture, "-o", p.text("run", "")],
    ),
    "start from nothing": (
        1,
        "config.json",
        lambda p: p.train(p.recipe, "--init", folder(p.folder / "init")),
    ),
    "start from another network": (
        1,
        "does not fit",
        lambda p: p.train(p.recipe, "model.options.depth=1", "--init", p.checkpoint),
    ),
    "unknown accelerator": (2, "'tpu'", lambda p: p.train(p.recipe, "--accelerator", "tpu")),
    # Export.
    "export an unknown model": (2, "unknown model", lambda p: ["export", "nan", "-o", "a.onnx"]),
    "export to another extension": (
        2,
        ".onnx",
        lambda p: ["export", p.checkpoint, "-o", p.out / "model.pb"],
    ),
    "export to a folder": (
        1,
        "is a folder",
        lambda p: ["export", p.checkpoint, "-o", folder(p.folder / "m.onnx")],
    ),
    "export pickled weights": (
        1,
        "weights.safetensors",
        lambda p: ["export", pickled_weights(p), "-o", p.out / "m.onnx"],
    ),
    # Conversion.
    "convert to an unknown format": (
        2,
        "",
        lambda p: ["convert", p.walk_file, "-o", p.out / "a.x"],
    ),
    "keypoints as a table": (
        2,
        "only written as .npz",
        lambda p: ["convert", p.walk_file, "-o", p.out / "a.csv"],
    ),
    "convert onto the input": (
        2,
        "would replace the input",
        lambda p: ["convert", p.walk_file, "-o", p.walk_file],
    ),
    "conversion without aim": (
        2,
        "--to",
        lambda p: ["convert", p.walk_file, "-o", p.out / "a.npz", "--conversion", "mmpose"],
    ),
    "layout of a motion file": (
        2,
        "--layout",
        lambda p: ["convert", p.motion_file(), "-o", p.out / "a.csv", "--layout", "coco-17"],
    ),
    "truncated motion": (
        1,
        "motion.json",
        lambda p: ["convert", cut(p.motion_file("motion.json")), "-o", p.out / "a.npz"],
    ),
    "truncated motion archive": (
        1,
        "motion.npz",
        lambda p: ["convert", cut(p.motion_file(), 0.9), "-o", p.out / "a.npz"],
    ),
    # Demo.
    "demo into a file": (1, "is not a folder", lambda p: ["demo", "-o", p.text("file", "")]),
    "demo with an unknown model": (
        2,
        "unknown model",
        lambda p: ["demo", "-o", p.out, "--model", "nan"],
    ),
    "demo with an argument": (2, "walk", lambda p: ["demo", "walk"]),
    "models with an argument": (2, "all", lambda p: ["models", "all"]),
}


def snapshot(place: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in place.rglob("*")}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case, place, command, monkeypatch):
    code, says, build = BAD[case]
    monkeypatch.chdir(place.folder)
    argv = build(place)
    before = snapshot(place.folder)
    result = command(*argv)
    assert result.err.startswith("poselift: error: ")
    assert result.err.count("\n") == 1
    assert "Traceback" not in result.err
    assert says in result.err
    assert result.code == code, result.err
    assert snapshot(place.folder) == before


def test_enough_of_them():
    assert len(BAD) >= 60
