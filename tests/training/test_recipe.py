from __future__ import annotations

import re
from pathlib import Path

import pytest

from poselift import models
from poselift.errors import PoseliftError
from poselift.training.recipe import read_recipe, recipe_from_dict

RECIPES = sorted((Path(__file__).resolve().parents[2] / "recipes").glob("*.toml"))


TRAINED_HERE = {
    "htnet",
    "martinez",
    "mgcn",
    "mixste-small",
    "mixste-small-hot",
    "nanohtnet-243",
    "nanohtnet-243-causal",
    "poseclr-htnet",
    "poseclr-nanohtnet",
    "tcn-243",
}
PUBLISHED = {
    "h36m-htnet",
    "h36m-martinez",
    "h36m-mgcn",
    "h36m-mhformer",
    "h36m-mhformer-tpc",
    "h36m-mixste",
    "h36m-mixste-h2ot",
    "h36m-mixste-hot",
    "h36m-mixste-tpc",
    "h36m-motionagformer",
    "h36m-motionagformer-hot",
    "h36m-motionagformer-l",
    "h36m-motionagformer-s",
    "h36m-motionagformer-xs",
    "h36m-motionbert",
    "h36m-motionbert-hot",
    "h36m-nanohtnet",
    "h36m-tcn",
}


def test_all_recipes_are_here() -> None:
    assert {path.stem for path in RECIPES} == TRAINED_HERE | PUBLISHED


def test_every_model_has_its_published_schedule() -> None:
    recipes = [read_recipe(path) for path in RECIPES if path.stem in PUBLISHED]
    assert {recipe.model.name for recipe in recipes} == set(models.list())


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipe_is_complete(path: Path) -> None:
    recipe = read_recipe(path)
    network = models.create(recipe.model.name, **recipe.model.options)
    assert network.config.num_out_frames >= 1
    about = {"expected", "cost", "command", "licence", "acknowledgement"}
    if path.stem in PUBLISHED:
        about |= {"published", "source"}
        assert recipe.data.set != "mocap"
    assert about <= recipe.about.keys()
    verb = "train" if recipe.poseclr is None else "pretrain"
    assert f"poselift {verb} recipes/{path.name} " in recipe.about["command"]
    assert recipe_from_dict(recipe.to_dict()) == recipe


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_published_recipe_says_what_it_repeats(name: str) -> None:
    (path,) = (path for path in RECIPES if path.stem == name)
    recipe = read_recipe(path)
    published, source = recipe.about["published"], recipe.about["source"]
    assert re.findall(r"protocol ([\w-]+)", published) == [recipe.data.set]
    header = path.read_text().partition("[model]")[0]
    (number, *_), (year, *_) = re.findall(r"[\d.]+ mm", published), re.findall(r"20\d\d", source)
    assert all(line.startswith("#") for line in header.strip().splitlines())
    assert number in header
    assert year in header
    assert "Cost: " in header


def test_overrides(recipe_file: Path) -> None:
    recipe = read_recipe(
        recipe_file,
        ["train.steps=10", "data.target=newest", "train.ema=0", "data.augment.mirror=0.25"],
    )
    assert recipe.train.steps == 10
    assert recipe.train.ema == 0.0
    assert recipe.data.target == "newest"
    assert recipe.data.augment.mirror == 0.25


def test_another_data_set_has_not_the_terms_of_the_recipes_own(recipe_file: Path) -> None:
    own = read_recipe(recipe_file, ["data.set=mocap"]).about
    assert own["licence"] == "MIT"
    other = read_recipe(recipe_file, ["data.set=3dhp", "about.licence=mine"]).about
    assert other == {"expected": own["expected"], "licence": "mine"}
    same = read_recipe(recipe_file, ["data.set=3dhp", "about.licence=MIT"]).about
    assert same["licence"] == "MIT"
    table = ["data={set='3dhp'}", "about={licence='mine', acknowledgement='me'}"]
    assert read_recipe(recipe_file, table).about == {"licence": "mine", "acknowledgement": "me"}


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
        ("train.seed=100000000000000", "train.seed = 100000000000000; expected 0 to"),
        ("train.batch_size=1", "batch_size"),
        ("train.clip=-1", "clip"),
        ("train.epochs=0", "train.epochs = 0; expected 1 or more"),
        ("train.accumulate=0", "accumulate"),
        ("train.labelled=2", "labelled"),
        ("train.trained=some", "one of"),
        ("train.schedule={name='linear'}", "train.schedule.name = 'linear'"),
        ("train.schedule.decay=2", "train.schedule.decay = 2.0"),
        ("train.loss={joints='all'}", "train.loss.joints = 'all'"),
        ("train.optimiser=sgd", "one of"),
        ("data.set=h37m", "one of"),
        ("data.paired.hold_out=S8", "data.paired.hold_out = 'S8'"),
        ("data.paired.hold_out=[8]", "data.paired.hold_out[0] = 8"),
        ("data.paired.stride=0", "stride"),
        ("data.camera.azimuths=[nan]", "azimuths"),
        ("poseclr.temperature=0", "poseclr.temperature = 0.0"),
        ("poseclr.views=1", "views"),
        ("poseclr=1", "a section"),
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


@pytest.mark.parametrize(
    "text",
    ["", "[model]", "[train]\nsteps = 3", "steps =", "[model]\nname = 'htnet'\n[train]\nema = 0"],
)
def test_bad_files(tmp_path: Path, text: str) -> None:
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(PoseliftError):
        read_recipe(path)
    with pytest.raises(PoseliftError):
        read_recipe(tmp_path / "absent.toml")
