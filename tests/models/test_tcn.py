from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from poselift import models
from poselift.errors import UsageError
from poselift.models.tcn import TCN, TCNConfig

FIELD = 45  # 3 * 5 * 3


def network(num_out: int = 1, **options: Any) -> TCN:
    torch.manual_seed(0)
    config = TCNConfig(
        num_frames=FIELD + num_out - 1,
        num_out_frames=num_out,
        filter_widths=(3, 5, 3),
        dim=8,
        **options,
    )
    net = TCN(config)
    net(torch.randn(64, FIELD, 17, 2))  # statistics of the norms
    return net.eval()


def clip(frames: int) -> Tensor:
    return torch.randn(2, frames, 17, 2, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("causal", [False, True])
def test_a_clip_in_one_pass_is_each_of_its_windows(causal: bool) -> None:
    """Dilated convolutions over the clip against steps over single windows."""
    net, long = network(causal=causal), network(num_out=20, causal=causal)
    x = clip(FIELD + 19)
    with torch.no_grad():
        whole = net(x)
        assert whole.shape == (2, 20, 17, 3)
        windows = torch.cat([net(x[:, t : t + FIELD]) for t in range(20)], dim=1)
        torch.testing.assert_close(whole, windows, atol=1e-6, rtol=1e-5)
        long.load_state_dict(net.state_dict())
        assert torch.equal(long(x), whole)


def test_every_frame_of_the_receptive_field_counts_and_no_other() -> None:
    net = network()
    x = clip(FIELD + 4).requires_grad_()
    net(x)[:, 2].square().sum().backward()
    assert x.grad is not None
    used = x.grad.abs().sum(dim=(0, 2, 3)) > 0
    assert used.nonzero().flatten().tolist() == list(range(2, 2 + FIELD))


@pytest.mark.parametrize(("causal", "frame"), [(False, FIELD // 2), (True, FIELD - 1)])
def test_the_residuals_carry_the_predicted_frame(causal: bool, frame: int) -> None:
    """Without the blocks' convolutions only the filter around the predicted frame is left."""
    net = network(causal=causal)
    with torch.no_grad():
        for convolution in net.pointwise:
            convolution.norm.weight.zero_()
            convolution.norm.bias.zero_()
    x = clip(FIELD).requires_grad_()
    net(x).square().sum().backward()
    assert x.grad is not None
    used = (x.grad.abs().sum(dim=(0, 2, 3)) > 0).nonzero().flatten().tolist()
    first = min(frame - 1, FIELD - 3)
    assert used == [first, first + 1, first + 2]


def test_the_published_checkpoint_loads() -> None:
    config = {"architecture": "3,5,3", "channels": 8}
    net = network()
    state = net.state_dict()
    theirs = {
        "expand_conv.weight": state["embed.conv.weight"],
        "shrink.weight": state["head.weight"].unsqueeze(-1),
        "shrink.bias": state["head.bias"],
    }
    norms = {"expand_bn": "embed"}
    for block in (0, 1):
        for offset, name in ((0, "wide"), (1, "pointwise")):
            layer = 2 * block + offset
            theirs[f"layers_conv.{layer}.weight"] = state[f"{name}.{block}.conv.weight"]
            norms[f"layers_bn.{layer}"] = f"{name}.{block}"
    for key, name in norms.items():
        prefix = f"{name}.norm."
        theirs |= {
            f"{key}.{ours.removeprefix(prefix)}": value
            for ours, value in state.items()
            if ours.startswith(prefix)
        }
    loaded = models.load_published("videopose3d", config, theirs)
    with torch.no_grad():
        assert torch.equal(loaded(clip(FIELD)), net(clip(FIELD)))
    with pytest.raises(UsageError, match="architecture"):
        models.load_published("videopose3d", {"architecture": "3,x", "channels": 8}, theirs)


def test_published_size() -> None:
    with torch.device("meta"):
        assert sum(p.numel() for p in models.create("tcn").parameters()) == 16_952_371


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_frames": 244}, "expected num_frames = 243"),
        ({"num_out_frames": 3}, "expected num_frames = 245"),
        ({"filter_widths": (3, 2)}, "odd"),
        ({"filter_widths": ()}, "odd"),
        ({"filter_widths": (3, -3)}, r"filter_widths\[1\] = -3"),
        ({"drop": 2.0}, "drop rate"),
    ],
)
def test_impossible_sizes(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        models.create("tcn", **options)
