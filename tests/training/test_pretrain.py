"""From motion without labels to a network that lifts."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from test_processes import assert_same, launch  # type: ignore[import-not-found]

from poselift import models
from poselift.data.clips import PairedClip
from poselift.data.mocap import Motion
from poselift.errors import CheckpointError, UsageError
from poselift.evaluation.mocap import camera_joints, project_views
from poselift.models.checkpoint import read_weights
from poselift.training.encoder import head_keys
from poselift.training.loop import Progress
from poselift.training.pretrain import pretrain
from poselift.training.recipe import read_recipe
from poselift.training.supervised import fit

POSECLR = ["poseclr.queue=64", "train.ema=0.9"]


@pytest.fixture
def encoder(recipe_file: Path, motions: list[Motion], tmp_path: Path) -> Path:
    return pretrain(
        read_recipe(recipe_file, POSECLR), tmp_path / "encoder", motions[:2], motions[2:]
    )


def test_writes_an_encoder_and_watches_its_features(encoder: Path) -> None:
    with (encoder / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["2", "4", "6"]
    assert {"loss", "variance", "alignment", "uniformity", "retrieval"} <= rows[0].keys()
    assert all(float(row["variance"]) > 0 for row in rows)
    about = json.loads((encoder / "config.json").read_text())
    assert about["pretrained"]["method"] == "poseclr"
    assert about["acknowledgement"] == "The data was made up."
    assert not any(key.startswith("head") for key in read_weights(encoder))
    with pytest.raises(CheckpointError, match="missing keys"):  # it cannot lift yet
        models.load(encoder)


def test_train_keeps_the_encoder_and_makes_a_new_head(
    recipe_file: Path, encoder: Path, motions: list[Motion], tmp_path: Path
) -> None:
    still = ["train.steps=1", "train.learning_rate=1e-12", "train.warmup=0"]
    folder = fit(
        read_recipe(recipe_file, still), tmp_path / "run", motions[:2], motions[2:], init=encoder
    )
    tuned, given = read_weights(folder), read_weights(encoder)
    for key, value in given.items():
        torch.testing.assert_close(tuned[key], value, atol=1e-6, rtol=0)
    assert tuned.keys() - given.keys() == {"head.weight", "head.bias"}


def test_what_begins_anew_is_not_taken_over(
    recipe_file: Path, encoder: Path, motions: list[Motion], tmp_path: Path
) -> None:
    still = ["train.steps=1", "train.learning_rate=1e-12", "train.warmup=0"]
    anew = read_recipe(recipe_file, [*still, 'train.anew=["joint_head"]'])
    folder = fit(anew, tmp_path / "run", motions[:2], motions[2:], init=encoder)
    tuned, given = read_weights(folder), read_weights(encoder)
    moved = {key for key, value in given.items() if not torch.allclose(tuned[key], value)}
    assert moved
    assert all(key.startswith("joint_head.") for key in moved)
    wrong = read_recipe(recipe_file, [*still, 'train.anew=["legs"]'])
    with pytest.raises(UsageError, match=r"no module 'legs'.* joint_head"):
        fit(wrong, tmp_path / "wrong", motions[:2], motions[2:], init=encoder)
    with pytest.raises(UsageError, match="give --init"):
        fit(anew, tmp_path / "wrong", motions[:2], motions[2:])
    assert not (tmp_path / "wrong").exists()


@pytest.mark.parametrize("anew", [[], ["joint_head", "coeff_head"]])
@pytest.mark.parametrize("pretrained", [True, False])
def test_linear_probe_moves_the_head_alone(
    recipe_file: Path,
    encoder: Path,
    motions: list[Motion],
    tmp_path: Path,
    anew: list[str],
    pretrained: bool,
) -> None:
    recipe = read_recipe(recipe_file, ["train.trained=head", "train.ema=0", f"train.anew={anew}"])
    torch.manual_seed(0)
    fresh = models.create(recipe.model.name, **recipe.model.options).state_dict()
    given = fresh | read_weights(encoder) if pretrained else fresh
    init = encoder if pretrained else None
    tuned = read_weights(fit(recipe, tmp_path / "run", motions[:2], motions[2:], init=init))
    for key, value in tuned.items():
        if key.partition(".")[0] in ["head", *anew]:
            assert not torch.equal(value, given[key])
            assert not torch.equal(value, fresh[key])
        else:
            assert torch.equal(value, given[key])


def test_another_network_or_normalisation_is_refused(
    recipe_file: Path, encoder: Path, motions: list[Motion], tmp_path: Path
) -> None:
    heads = ["model.options.num_heads=4", "model.options.head_dim=2"]  # of the same shapes
    for changes, message in (
        (["model.options.hidden=32"], "does not fit the recipe, hidden = 16; expected hidden = 32"),
        (heads, "does not fit the recipe, (head_dim|num_heads) ="),
        (["data.normalisation=screen"], "normalised by 'person'"),
    ):
        recipe = read_recipe(recipe_file, changes)
        with pytest.raises(CheckpointError, match=message):
            fit(recipe, tmp_path / "run", motions[:2], motions[2:], init=encoder)
    assert not (tmp_path / "run").exists()


def test_recipes_for_the_wrong_verb(
    recipe_file: Path, motions: list[Motion], tmp_path: Path
) -> None:
    clips = (motions[:2], motions[2:])
    with pytest.raises(UsageError, match="no section poseclr"):
        pretrain(read_recipe(recipe_file), tmp_path / "run", *clips)
    with pytest.raises(UsageError, match="use pretrain"):
        fit(read_recipe(recipe_file, POSECLR), tmp_path / "run", *clips)
    small = read_recipe(recipe_file, ["poseclr.queue=3"])
    with pytest.raises(UsageError, match="queue = 3"):
        pretrain(small, tmp_path / "run", *clips)
    with pytest.raises(UsageError, match=r"nobody held out .* data\.paired\.hold_out"):
        pretrain(read_recipe(recipe_file, POSECLR), tmp_path / "run", motions, [])


@pytest.mark.slow
def test_processes_share_queue_and_batches_and_survive_a_kill(
    recipe_file: Path, motions: list[Motion], tmp_path: Path
) -> None:
    recipe_file.write_text(recipe_file.read_text() + "\n[poseclr]\nqueue = 20\nviews = 3\n")
    two, killed = tmp_path / "two", tmp_path / "killed"
    assert launch(recipe_file, (two, 2, 0), (killed, 2, 5), (killed, 2, 0)) == [0, 0, -9, -9, 0, 0]
    assert_same(two, killed, atol=0, rtol=0)
    recipe = read_recipe(recipe_file, ["train.accumulate=2"])
    pretrain(recipe, tmp_path / "one", motions[:2], motions[2:])
    assert_same(tmp_path / "one", two, atol=2e-5, rtol=1e-3)


def test_features_spread_and_agree_across_cameras(
    recipe_file: Path, motions: list[Motion], tmp_path: Path
) -> None:
    learn = ["train.steps=150", "train.batch_size=32", "train.learning_rate=3e-3"]
    learn += ["train.warmup=20", "train.validate_every=150"]
    learn += ["poseclr.queue=512", "poseclr.temperature=0.2"]
    learn += [f"data.noise.{name}=0" for name in ("strength", "bias", "gaps", "swaps", "lagging")]
    learn += [f"model.options.{name}=0" for name in ("drop", "drop_path_first", "drop_path_last")]
    still = [*learn, "train.steps=1", "train.learning_rate=1e-12"]
    same = [dataclasses.replace(motion, subject=f"again {motion.subject}") for motion in motions]
    measured = []
    for name, changes in (("still", still), ("learn", learn)):
        seen: list[Progress] = []
        recipe = read_recipe(recipe_file, changes)
        pretrain(recipe, tmp_path / name, motions, same, report=seen.append)
        measured.append(seen[-1].measured)
    before, after = measured
    assert after["variance"] > 2 * before["variance"]
    assert after["uniformity"] < before["uniformity"] - 0.5
    # Two windows are twice the variance apart; those of one instant come nearer than that.
    nearness = [m["alignment"] / (2 * m["variance"]) for m in (before, after)]
    assert nearness[1] < 0.8 * nearness[0]


def test_real_cameras_of_a_data_set(
    recipe_file: Path, motions: list[Motion], tmp_path: Path
) -> None:
    """Clips with their own 2D joints: pairs of recorded views, then supervised training."""

    def clips(motion: Motion) -> list[PairedClip]:
        views = zip(project_views(motion), camera_joints(motion), strict=True)
        return [
            PairedClip(
                f"{motion.name}/{k}",
                motion.subject,
                "walk",
                u.astype(np.float32),
                joints.astype(np.float32),
                (1000, 1000),
                50.0,
            )
            for k, (u, joints) in enumerate(views)
        ]

    train, held_out = clips(motions[0]) + clips(motions[1]), clips(motions[2])
    recipe = read_recipe(recipe_file, POSECLR)
    encoder = pretrain(recipe, tmp_path / "encoder", train, held_out)
    other_persons = read_recipe(recipe_file, [*POSECLR, "poseclr.same_person=false"])
    with pytest.raises(UsageError, match="with recordings"):
        pretrain(other_persons, tmp_path / "persons", train, held_out)
    seen: list[Progress] = []
    tune = read_recipe(recipe_file, ["train.epochs=1", "train.steps=7", "data.paired.stride=3"])
    folder = fit(tune, tmp_path / "run", train, held_out, init=encoder, report=seen.append)
    assert seen[-1].step == 7  # epochs of 2 x 2 x 4 x 34 windows in fours are longer
    assert json.loads((folder / "config.json").read_text())["unit"] == "metres"
    # Without anybody held out the last weights stay.
    seen.clear()
    alone = fit(tune, tmp_path / "alone", train, [], report=seen.append)
    assert [dict(p.measured) for p in seen if p.measured is not None] == [{}] * 4
    assert json.loads((alone / "config.json").read_text())["provenance"]["step"] == 7
    assert head_keys(models.load(alone)) == {"head.weight", "head.bias"}
