from __future__ import annotations

from pathlib import Path

import pytest

from poselift import models
from poselift.errors import PoseliftError
from poselift.training.recipe import read_recipe, recipe_from_dict

RECIPES = sorted((Path(__file__).resolve().parents[2] / "recipes").glob("*.toml"))


def test_all_recipes_are_here() -> None:
    names = {path.stem for path in RECIPES}
    assert names == {"htnet", "martinez", "mgcn", "nanohtnet-243", "nanohtnet-243-causal"}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipe_is_complete(path: Path) -> None:
    recipe = read_recipe(path)
    network = models.create(recipe.model.name, **recipe.model.options)
    assert network.config.num_out_frames >= 1
    assert {"expected", "cost", "command", "licence", "acknowledgement"} <= recipe.about.keys()
    assert path.name in recipe.about["command"]
    assert recipe_from_dict(recipe.to_dict()) == recipe


def test_overrides(recipe_file: Path) -> None:
    recipe = read_recipe(
        recipe_file,
        ["train.steps=10", "data.target=newest", "train.ema=0", "data.augment.mirror=0.25"],
    )
    assert recipe.train.steps == 10
    assert recipe.train.ema == 0.0
    assert recipe.data.target == "newest"
    assert recipe.data.augment.mirror == 0.25


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.step=3", "unknown key 'train.step'"),
        ("train.steps=three", "train.steps = 'three'"),
        ("train.steps=true", "type int"),
        ("train.steps=0", "train.steps = 0; expected 1 or more"),
        ("train.ema=1", "ema = 1.0"),
        ("train.learning_rate=-1", "train.learning_rate = -1.0; expected 0 to 1"),
        ("train.learning_rate=nan", "learning_rate"),
        ("train.batch_size=1", "batch_size"),
        ("train.clip=-1", "clip"),
        ("data.augment.speed=0", "speed"),
        ("data.augment.mirror=2", "data.augment.mirror = 2.0"),
        ("data.camera.nearest=-3", "nearest"),
        ("data.camera.zoom=0", "zoom"),
        ("data.noise.sigma=nan", "sigma"),
        ("train.precision=16", "one of"),
        ("data.target=middle", "one of"),
        ("optimiser.name=sgd", "unknown key 'optimiser'"),
        ("train.steps", "section.key=value"),
        ("train.steps.more=1", "section.key=value"),
        ("data=3", "a section"),
    ],
)
def test_bad_overrides(recipe_file: Path, override: str, message: str) -> None:
    with pytest.raises(PoseliftError) as caught:
        read_recipe(recipe_file, [override])
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["", "[model]", "[train]\nsteps = 3", "steps ="])
def test_bad_files(tmp_path: Path, text: str) -> None:
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(PoseliftError):
        read_recipe(path)
    with pytest.raises(PoseliftError):
        read_recipe(tmp_path / "absent.toml")
