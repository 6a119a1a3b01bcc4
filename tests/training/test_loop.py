"""Six steps on a procedural motion: files, resuming, learning."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from poselift import models
from poselift.data.clips import PairedClip
from poselift.data.mocap import Motion
from poselift.data.paired import PairedBank, PairedBatches
from poselift.data.windows import Target
from poselift.errors import CheckpointError, DataError, UsageError
from poselift.evaluation.mocap import IMAGE_SIZE, camera_joints, project_views
from poselift.models.checkpoint import save_checkpoint
from poselift.models.registry import REGISTRY
from poselift.training.encoder import start_from
from poselift.training.loop import Progress, create_fabric
from poselift.training.recipe import read_recipe
from poselift.training.schedule import create_optimisers
from poselift.training.supervised import _Lifting, fit
from poselift.training.validate import Validation


def test_writes_what_it_promises(recipe_file: Path, motions: list[Motion], tmp_path: Path) -> None:
    seen: list[Progress] = []
    folder = fit(
        read_recipe(recipe_file), tmp_path / "run", motions[:2], motions[2:], report=seen.append
    )
    names = {path.name.split(".tfevents")[0] for path in folder.iterdir()}
    assert names == {"config.json", "weights.safetensors", "training.pt", "log.csv", "events.out"}
    with (folder / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["2", "4", "6"]
    assert [p.step for p in seen if p.measured] == [2, 4, 6]
    about = json.loads((folder / "config.json").read_text())
    assert about["fps"] == 50.0
    assert about["normalisation"] == "person"
    assert about["target"] == "centre"
    assert about["acknowledgement"] == "The data was made up."
    # The kept weights are the average ones of the best validation.
    best = min(rows, key=lambda r: float(r["val_gt_mm"]) * float(r["val_detector_mm"]))
    assert about["provenance"]["step"] == int(best["step"])
    assert models.load(folder).config.num_frames == 9


def test_the_folder_of_another_recipe_is_refused(
    recipe_file: Path, motions: list[Motion], tmp_path: Path
) -> None:
    fit(read_recipe(recipe_file, ["train.steps=2"]), tmp_path / "run", motions[:2], motions[2:])
    with pytest.raises(CheckpointError, match="another recipe"):
        fit(read_recipe(recipe_file), tmp_path / "run", motions[:2], motions[2:])
    path = tmp_path / "run" / "training.pt"
    state = torch.load(path, weights_only=True)
    state["belongs_to"]["recipe"]["train"]["gone"] = 1
    torch.save(state, path)
    with pytest.raises(CheckpointError, match="another recipe"):
        fit(read_recipe(recipe_file, ["train.steps=2"]), tmp_path / "run", motions[:2], motions[2:])
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(CheckpointError, match="cannot be read"):
        fit(read_recipe(recipe_file), tmp_path / "run", motions[:2], motions[2:])


def test_a_run_goes_on_from_the_same_weights_and_keypoints_only(
    recipe_file: Path, motions: list[Motion], tmp_path: Path
) -> None:
    recipe = read_recipe(recipe_file, ["train.steps=2"])
    first, other = (
        fit(
            read_recipe(recipe_file, ["train.steps=2", f"train.seed={seed}"]),
            tmp_path / f"first-{seed}",
            motions[:2],
            motions[2:],
        )
        for seed in (0, 1)
    )
    fit(recipe, tmp_path / "run", motions[:2], motions[2:], init=first)
    fit(recipe, tmp_path / "run", motions[:2], motions[2:], init=first)
    for init in (other, None):
        with pytest.raises(CheckpointError, match="other weights to start from"):
            fit(recipe, tmp_path / "run", motions[:2], motions[2:], init=init)
    # What was learned from must not choose the checkpoint; own bones are not varied.
    own = [dataclasses.replace(motions[0], skeleton="subject"), motions[1]]
    for train, validation in ((motions[:1], motions[1:]), (own, motions[2:])):
        with pytest.raises(CheckpointError, match="other data"):
            fit(recipe, tmp_path / "run", train, validation, init=first)

    def clips(shift: float, score: float) -> list[PairedClip]:
        return [
            PairedClip(
                f"{m.name}/{k}",
                m.subject,
                "",
                project_views(m)[k] + shift,
                camera_joints(m)[k],
                IMAGE_SIZE,
                50.0,
                np.full((m.num_frames, 17), score),
            )
            for m in motions
            for k in (0, 1)
        ]

    paired = read_recipe(recipe_file, ["train.steps=2", "data.set=h36m"])
    one = clips(0, 1)
    fit(paired, tmp_path / "paired", one[:4], one[4:])
    fit(paired, tmp_path / "paired", one[:4], one[4:])
    for changed in (clips(1, 1), clips(0, 0.5)):
        with pytest.raises(CheckpointError, match="other data"):
            fit(paired, tmp_path / "paired", changed[:4], changed[4:])


@pytest.mark.parametrize(
    ("num_out", "stride", "target"),
    [(1, 1, "newest"), (9, 1, "newest"), (1, 1, "centre"), (9, 9, "centre"), (81, 81, "centre")],
)
def test_validation_on_pairs_counts_every_frame_once(
    motions: list[Motion], num_out: int, stride: int, target: Target
) -> None:
    motion = motions[0]
    seen, joints = project_views(motion), camera_joints(motion)
    clips = [
        PairedClip(f"{k}", "S1", "", seen[k][:n], joints[k][:n], IMAGE_SIZE, 50.0)
        for k, n in enumerate((50, 3))
    ]
    bank = PairedBank.from_clips(clips, "screen")
    batches = PairedBatches(bank, 1, 81, num_out, target, stride, mirror=False)
    validation = Validation.of_pairs(batches, target)
    counted = validation.targets[validation.inside]
    assert len(counted) == 53
    torch.testing.assert_close(counted, bank.joints, atol=0, rtol=0)


def test_validation_clips_can_be_too_short(motions: list[Motion]) -> None:
    seen, joints = project_views(motions[0]), camera_joints(motions[0])
    clip = PairedClip("0", "S1", "", seen[0][:2], joints[0][:2], IMAGE_SIZE, 50.0)
    batches = PairedBatches(PairedBank.from_clips([clip], "screen"), 1, 9, 1, "newest", 9, False)
    with pytest.raises(DataError, match=r"lower data\.paired\.stride"):
        Validation.of_pairs(batches, "newest")


def test_motions_without_anybody_held_out(
    recipe_file: Path, motions: list[Motion], tmp_path: Path
) -> None:
    folder = fit(read_recipe(recipe_file, ["train.steps=1"]), tmp_path / "run", motions, [])
    assert json.loads((folder / "config.json").read_text())["validation_mm"] == {}


def test_an_older_state_has_the_defaults_of_newer_settings(
    recipe_file: Path, motions: list[Motion], tmp_path: Path
) -> None:
    recipe = read_recipe(recipe_file, ["train.steps=2"])
    fit(recipe, tmp_path / "run", motions[:2], motions[2:])
    path = tmp_path / "run" / "training.pt"
    state = torch.load(path, weights_only=True)
    del state["belongs_to"]["recipe"]["train"]["anew"]
    torch.save(state, path)
    seen: list[Progress] = []
    fit(recipe, tmp_path / "run", motions[:2], motions[2:], report=seen.append)
    assert not seen  # it is done
    frozen = read_recipe(recipe_file, ["train.steps=2", 'train.anew=["head"]'])
    with pytest.raises(CheckpointError, match="another recipe"):
        fit(frozen, tmp_path / "run", motions[:2], motions[2:], init=tmp_path / "run")


def test_starts_from_given_weights(
    recipe_file: Path, motions: list[Motion], tmp_path: Path
) -> None:
    first = fit(read_recipe(recipe_file), tmp_path / "first", motions[:2], motions[2:])
    frozen = ["train.steps=1", "train.learning_rate=1e-12", "train.warmup=0"]
    second = fit(
        read_recipe(recipe_file, frozen), tmp_path / "second", motions[:2], motions[2:], init=first
    )
    a, b = models.load(first), models.load(second)
    for key, value in a.state_dict().items():
        torch.testing.assert_close(b.state_dict()[key], value, atol=1e-6, rtol=0)
    other = read_recipe(recipe_file, ["model.options.hidden=32"])
    with pytest.raises(CheckpointError, match="does not fit"):
        fit(other, tmp_path / "third", motions[:2], motions[2:], init=first)


def test_the_terms_of_the_first_weights_stay(
    recipe_file: Path, motions: list[Motion], tmp_path: Path
) -> None:
    def trained(folder: str, init: str | None, *changes: str) -> dict[str, Any]:
        recipe = read_recipe(recipe_file, ["train.steps=1", *changes])
        start = None if init is None else tmp_path / init
        fit(recipe, tmp_path / folder, motions[:2], motions[2:], init=start)
        about = json.loads((tmp_path / folder / "config.json").read_text())
        return {key: about[key] for key in ("licence", "acknowledgement")}

    own = {"licence": "MIT", "acknowledgement": "The data was made up."}
    assert trained("own", None) == own
    assert trained("tuned", "own") == own
    theirs = ["about.licence=academic", "about.acknowledgement=They."]
    assert trained("other", None, *theirs) == {"licence": "academic", "acknowledgement": "They."}
    both = {"licence": "MIT; academic", "acknowledgement": "The data was made up.; They."}
    assert trained("both", "other") == both
    assert trained("once-more", "both") == both


def test_an_hourglass_and_its_host_start_from_each_other(tmp_path: Path) -> None:
    config = {"num_frames": 9, "num_out_frames": 9, "dim": 16, "hidden": 16, "depth": 2}
    steps = {"keep": [3], "before": [1]}
    torch.manual_seed(0)
    host = models.create("mixste", **config)
    whole = models.create("mixste+hot", **config, **steps)
    about = {"normalisation": "person"}
    save_checkpoint(tmp_path / "host", "mixste", host, about)
    save_checkpoint(tmp_path / "whole", "mixste+hot", whole, about)
    recovery = {k: v.clone() for k, v in whole.state_dict().items() if not k.startswith("host.")}

    start_from(tmp_path / "host", whole, "person")
    for key, value in host.state_dict().items():
        torch.testing.assert_close(whole.state_dict()[f"host.{key}"], value, atol=0, rtol=0)
    for key, value in recovery.items():
        torch.testing.assert_close(whole.state_dict()[key], value, atol=0, rtol=0)

    inside = models.load(tmp_path / "whole").host.state_dict()
    fresh = models.create("mixste", **config)
    other = models.create("mixste+hot", **config, keep=[5], before=[1], recover="linear")
    for network, host in ((fresh, fresh), (other, other.host)):
        start_from(tmp_path / "whole", network, "person")
        for key, value in host.state_dict().items():
            torch.testing.assert_close(inside[key], value, atol=0, rtol=0)


def test_frames_may_differ_where_weights_do_not_depend_on_them(tmp_path: Path) -> None:
    config = {"filter_widths": (3, 3), "dim": 16}
    one = models.create("tcn", num_frames=9, **config)
    save_checkpoint(tmp_path / "one", "tcn", one, {"normalisation": "screen"})
    three = models.create("tcn", num_frames=11, num_out_frames=3, **config)
    start_from(tmp_path / "one", three, "screen")
    x = torch.randn(2, 11, 17, 2)
    torch.testing.assert_close(three.eval()(x)[:, :1], one.eval()(x[:, :9]))


def test_a_part_of_an_hourglass_begins_anew(tmp_path: Path) -> None:
    config = {"num_frames": 9, "num_out_frames": 9, "dim": 16, "hidden": 16, "depth": 2}
    host = models.create("mixste", **config)
    save_checkpoint(tmp_path / "host", "mixste", host, {"normalisation": "person"})
    whole = models.create("mixste+hot", **config, keep=[3], before=[1])
    before = {key: value.clone() for key, value in whole.state_dict().items()}
    start_from(tmp_path / "host", whole, "person", ["host.head"])
    for key, value in host.state_dict().items():
        expected = before[f"host.{key}"] if key.startswith("head.") else value
        torch.testing.assert_close(whole.state_dict()[f"host.{key}"], expected, atol=0, rtol=0)
    with pytest.raises(UsageError, match=r"no module 'head'; expected one it has, such as host"):
        start_from(tmp_path / "host", whole, "person", ["head"])


def test_learns_one_clip_by_heart(recipe_file: Path, motions: list[Motion], tmp_path: Path) -> None:
    """The error on the clip it learns from falls far below that of the mean pose, 142 mm."""
    overrides = [
        "train.steps=250",
        "train.batch_size=16",
        "train.learning_rate=5e-3",
        "train.validate_every=250",
        "train.ema=0.9",
        "model.options.drop=0.0",
        "model.options.drop_path_first=0.0",
        "model.options.drop_path_last=0.0",
    ]
    seen: list[Progress] = []
    clip = motions[:1]
    same = [dataclasses.replace(clip[0], subject="known by heart")]
    fit(read_recipe(recipe_file, overrides), tmp_path / "run", clip, same, report=seen.append)
    final = seen[-1].measured
    assert final is not None
    assert final["val_gt_mm"] < 100


def test_a_subject_in_both_sets_is_refused(
    recipe_file: Path, motions: list[Motion], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="procedural-0 are in training and in validation"):
        fit(read_recipe(recipe_file), tmp_path / "run", motions, motions[:1])
    assert not (tmp_path / "run").exists()


def test_a_filled_in_text_is_the_same_recipe_and_other_data_is_not(
    recipe_file: Path, motions: list[Motion], tmp_path: Path
) -> None:
    recipe = read_recipe(recipe_file)
    fit(recipe, tmp_path / "run", motions[:2], motions[2:])
    told = dataclasses.replace(recipe, about={"expected": "12 mm"})
    fit(told, tmp_path / "run", motions[:2], motions[2:])
    with pytest.raises(CheckpointError, match="other data"):
        fit(recipe, tmp_path / "run", motions[:1], motions[2:])


@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
def test_clip_limits_the_gradient_of_all_parameters_together(
    optimiser: str,
    recipe_file: Path,
    motions: list[Motion],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    squares: list[float] = []

    def watched(*args: Any) -> list[torch.optim.Optimizer]:
        made = create_optimisers(*args)
        for one in made:
            one.register_step_pre_hook(lambda used, *_: squares.append(_square(used)))
        assert len(made) == (2 if optimiser == "muon" else 1)
        return made

    def _square(used: torch.optim.Optimizer) -> float:
        return sum(float((p.grad**2).sum()) for g in used.param_groups for p in g["params"])

    monkeypatch.setattr("poselift.training.loop.create_optimisers", watched)
    changes = [
        "train.steps=3",
        "train.clip=0.01",
        f"train.optimiser={optimiser}",
        "model.options.dim=48",
        "model.options.hidden=48",
    ]
    fit(read_recipe(recipe_file, changes), tmp_path / "run", motions[:2], motions[2:])
    norms = torch.tensor(squares).reshape(3, -1).sum(dim=1).sqrt()
    torch.testing.assert_close(norms, torch.full((3,), 0.01), rtol=1e-3, atol=0)


def test_divergence_is_an_error(recipe_file: Path, motions: list[Motion], tmp_path: Path) -> None:
    recipe = read_recipe(recipe_file, ["data.noise.sigma=1", "train.steps=4"])
    broken = dataclasses.replace(motions[0], joints=motions[0].joints * 1e30)
    with pytest.raises(DataError, match="diverged"):
        fit(recipe, tmp_path / "run", [broken], motions[2:])


def test_a_pruned_network_learns_from_every_frame_it_keeps(
    motions: list[Motion], tmp_path: Path
) -> None:
    options = "\n".join(f"{k} = {json.dumps(v)}" for k, v in REGISTRY["mhformer+tpc"].tiny.items())
    path = tmp_path / "recipe.toml"
    path.write_text(
        f'[model]\nname = "mhformer+tpc"\n[model.options]\n{options}\n'
        '[train]\nsteps = 2\nbatch_size = 4\nprecision = "32-true"\nloss.velocity = 0.0\n'
    )
    recipe = read_recipe(path)
    folder = fit(recipe, tmp_path / "run", motions[:2], motions[2:])
    network = models.load(folder)
    assert network.config.num_out_frames == 1

    task = _Lifting(recipe, motions[:2], motions[2:], None, create_fabric("32-true", "cpu"))
    inputs, targets = task.batch(0)
    window = network.config.num_frames
    assert targets.shape[:2] == (4, window)
    frames = torch.tensor([[0, 2, window - 1]] * 4)
    right = targets[:, [0, 2, window - 1]]
    assert float(task.loss((right, frames), (inputs, targets))[0]) == 0.0
    assert float(task.loss((right.flip(1), frames), (inputs, targets))[0]) > 0.001


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch warns of torch
def test_compiled_and_not_are_the_same(
    recipe_file: Path, motions: list[Motion], tmp_path: Path
) -> None:
    still = [f"model.options.{name}=0.0" for name in ("drop", "drop_path_first", "drop_path_last")]
    kept = []
    for compiled in ("false", "true"):
        recipe = read_recipe(recipe_file, [*still, f"train.compile={compiled}", "train.steps=2"])
        folder = fit(recipe, tmp_path / compiled, motions[:2], motions[2:])
        kept.append(models.load(folder).state_dict())
    for key, value in kept[0].items():
        torch.testing.assert_close(kept[1][key], value, atol=1e-5, rtol=1e-4)
