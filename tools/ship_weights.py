"""Make a folder of ``src/poselift/weights`` from a trained checkpoint.

    python tools/ship_weights.py RUN NAME --data DIR

Stores the weights in float16, writes the ONNX graph that reads them, measures protocol mocap on
the test motions with what is shipped, and writes the model card from all that. RUN is a folder
that ``poselift train`` left, DIR holds ``motions_test.npz``.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch

from poselift import Lifter
from poselift.checkpoints import read_config
from poselift.data.mocap import read_motions
from poselift.evaluation.mocap import evaluate
from poselift.export.onnx import export_onnx
from poselift.files import write_text
from poselift.models import load
from poselift.models.checkpoint import save_checkpoint
from poselift.training.recipe import recipe_from_dict

ROOT = Path(__file__).resolve().parents[1]
WEIGHTS = ROOT / "src" / "poselift" / "weights"

SUMMARY = {
    "nanohtnet": "NanoHTNet: a window of 243 frames at 50 fps, the 9 in its centre predicted. "
    "For whole clips.",
    "nanohtnet-causal": "NanoHTNet: a window of 243 frames at 50 fps, the newest 9 predicted, of "
    "which the last is used. For streaming without delay.",
    "htnet": "HTNet: one frame. For single pictures.",
    "mixste-small": "MixSTE of width 128: a window of 81 frames at 50 fps, all of them predicted. "
    "For whole clips, the most exact on motion capture.",
    "mixste-small+hot": "MixSTE of width 128 with an hourglass, which goes on with 27 of the 81 "
    "frames after two of five levels and interpolates the poses in between. For whole clips.",
}

CARD = """\
# {name}

{summary} Input: 17 joints of Human3.6M in pixels. Output: 17 joints in metres relative to the
pelvis, camera frame (x right, y down, z forward).

- Parameters: {parameters:,}, stored as float16; computed in float32
- Licence: {licence}
- Trained by `{command}`: {cost}; checkpoint chosen on the validation subjects
- Data: 24.6 minutes of optical motion capture of 28 subjects or groups (CMU), random virtual
  cameras, varied in bodies, speed, limbs and mirrored; detector-like noise on the 2D joints. No
  picture was used.

## Measured

Protocol `mocap` on the test subjects (02 and 135, never trained on), every frame, four cameras,
no flip averaging, millimetres:

| 2D joints | sequences | P1 | P2 | end joints | MPJVE |
|---|---|---:|---:|---:|---:|
{rows}

```sh
poselift evaluate --model {name} --data motions_test.npz --noise detector
```

## Limits

- Absolute size comes from the training bodies (1.60 to 1.82 m): children and very tall persons
  come out too large or too small. Depth is the least certain direction.
- Two subjects are few to test on. Poses far from the training motion (lying, acrobatics, sitting
  on furniture) are less exact than walking, turning, dancing and sports.
- Real detectors place hips, shoulders and head elsewhere than motion capture does; the conversion
  corrects for it on average only.

## Acknowledgement

{acknowledgement}
"""


def main() -> None:
    """Read the command line and ship."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("name", choices=sorted(SUMMARY))
    parser.add_argument("--data", type=Path, required=True)
    arguments = parser.parse_args()
    ship(arguments.run, arguments.name, arguments.data)


def ship(run: Path, name: str, data: Path) -> None:
    """Write ``WEIGHTS / name``."""
    content = read_config(run)
    recipe = recipe_from_dict(content["provenance"]["recipe"])
    network = load(run)
    about = {key: value for key, value in content.items() if key not in ("model", "config")}
    folder = WEIGHTS / name
    save_checkpoint(folder, content["model"], network, about, dtype=torch.float16)
    print(export_onnx(folder, weights="beside"))
    motions = read_motions(data / "motions_test.npz")
    lifter = Lifter(folder)
    rows = []
    for noise, label in (("gt", "exact"), ("detector", "with detector noise")):
        report = evaluate(lifter.lift, motions, noise).to_dict()
        for group, sequences in (("subject", "own skeleton"), ("all", "all")):
            rows.append(row(label, sequences, report[group]))
    card = CARD.format(
        name=name,
        summary=SUMMARY[name],
        parameters=sum(p.numel() for p in network.parameters()),
        licence=content["licence"],
        command=recipe.about["command"],
        cost=recipe.about["cost"],
        rows="\n".join(rows),
        acknowledgement=content["acknowledgement"],
    )
    write_text(folder / "MODEL_CARD.md", card)
    print(card)


def row(label: str, sequences: str, errors: dict[str, Any]) -> str:
    """One line of the card's table."""
    keys = ("p1_mm", "p2_mm", "end_joints_mm", "mpjve_mm_per_frame")
    return f"| {label} | {sequences} | " + " | ".join(f"{errors[key]:.1f}" for key in keys) + " |"


if __name__ == "__main__":
    main()
