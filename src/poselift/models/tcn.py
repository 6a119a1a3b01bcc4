"""Dilated temporal convolutions: the reference that video lifters are compared with.

Paper: Pavllo, Feichtenhofer, Grangier, Auli, "3D human pose estimation in video with temporal
convolutions and semi-supervised training" (VideoPose3D), CVPR 2019, section 3 and figure 2.
Written from the paper; no golden vectors of the authors' code.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from poselift.errors import UsageError
from poselift.models.checks import check_rates, check_sizes
from poselift.models.htnet import NUM_JOINTS
from poselift.models.published import Published, drop_kernel, published_value


@dataclass(frozen=True)
class TCNConfig:
    """Sizes; the defaults are the published ones.

    Args:
        num_frames: T, frames in the window.
        num_out_frames: frames predicted: ``num_frames`` less the receptive field, plus one. The
            weights do not depend on it. Neighbouring frames share most of what they compute: in a
            long clip a frame costs a tenth of what it costs alone.
        filter_widths: of the convolutions over time, odd; their product is the receptive field.
            The first reads the joints, each further one is a residual block.
        dim: channels.
        causal: predict the newest frames of the window, from none that is later than they are.
        drop: dropout.
    """

    num_frames: int = 243
    num_out_frames: int = 1
    filter_widths: tuple[int, ...] = (3, 3, 3, 3, 3)
    dim: int = 1024
    causal: bool = False
    drop: float = 0.25

    def __post_init__(self) -> None:
        # A config file has lists.
        object.__setattr__(self, "filter_widths", tuple(self.filter_widths))
        check_sizes(num_frames=self.num_frames, num_out_frames=self.num_out_frames, dim=self.dim)
        check_sizes(**{f"filter_widths[{i}]": w for i, w in enumerate(self.filter_widths)})
        check_rates(self.drop)
        if not self.filter_widths or any(width % 2 == 0 for width in self.filter_widths):
            raise UsageError(f"filter_widths = {self.filter_widths}", "odd numbers")
        predicted = self.num_frames - self.receptive_field + 1
        if predicted != self.num_out_frames:
            raise UsageError(
                f"{self.num_out_frames} frames out of a window of {self.num_frames}, "
                f"with filter_widths {self.filter_widths}",
                f"num_frames = {self.receptive_field + self.num_out_frames - 1}",
            )

    @property
    def receptive_field(self) -> int:
        """Frames that one predicted frame depends on."""
        return math.prod(self.filter_widths)


class Convolution(nn.Module):
    """Convolution over time without padding, batch norm, ReLU, dropout."""

    def __init__(self, in_dim: int, out_dim: int, width: int, drop: float) -> None:
        super().__init__()
        self.conv = nn.Conv1d(in_dim, out_dim, width, bias=False)  # its stride is the caller's
        self.norm = nn.BatchNorm1d(out_dim)
        self.drop = drop

    def forward(self, x: Tensor, stride: int, dilation: int) -> Tensor:
        """(B, in, T) -> (B, out, fewer frames)."""
        x = F.conv1d(x, self.conv.weight, stride=stride, dilation=dilation)
        return F.dropout(F.relu(self.norm(x)), self.drop, self.training)


class TCN(nn.Module):
    """The network. See :class:`TCNConfig` and the head of this file."""

    def __init__(self, config: TCNConfig) -> None:
        super().__init__()
        self.config = config
        first, *widths = config.filter_widths
        self.embed = Convolution(2 * NUM_JOINTS, config.dim, first, config.drop)
        self.wide = nn.ModuleList(
            Convolution(config.dim, config.dim, width, config.drop) for width in widths
        )
        self.pointwise = nn.ModuleList(
            Convolution(config.dim, config.dim, 1, config.drop) for _ in widths
        )
        self.head = nn.Linear(config.dim, 3 * NUM_JOINTS)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, 17, 2) normalised 2D joints -> (B, n, 17, 3) metres relative to the pelvis.

        T is the receptive field or more, n = T - receptive field + 1: a whole clip in one pass.
        """
        first, *widths = self.config.filter_widths
        # One frame needs only every third, ninth, ... frame inside: steps in place of dilation
        # give the same numbers (VideoPose3D, appendix A.3).
        single = x.shape[1] == self.config.receptive_field
        stride, dilation = (first, 1) if single else (1, 1)
        x = self.embed(x.flatten(2).transpose(1, 2), stride, dilation)  # (B, C, T')
        reach = first
        for width, wide, pointwise in zip(widths, self.wide, self.pointwise, strict=True):
            stride, dilation = (width, 1) if single else (1, reach)
            out = wide(x, stride, dilation)  # (B, C, T'')
            # The frame of the filter that the block's output is about.
            own = (width - 1 if self.config.causal else width // 2) * dilation
            kept = x[:, :, own : own + (out.shape[2] - 1) * stride + 1 : stride]
            x = kept + pointwise(out, 1, 1)
            reach *= width
        joints = self.head(x.transpose(1, 2))  # (B, n, 51)
        return joints.unflatten(2, (NUM_JOINTS, 3))


def _create_published(config: Mapping[str, Any]) -> TCN:
    text = str(config.get("architecture"))
    try:
        widths = tuple(int(width) for width in text.split(","))
    except ValueError as error:
        raise UsageError(f"config['architecture'] is {text!r}", 'widths as "3,3,3,3,3"') from error
    return TCN(
        TCNConfig(
            num_frames=math.prod(widths),
            filter_widths=widths,
            dim=published_value(config, "channels"),
            causal=bool(config.get("causal", False)),
        )
    )


PUBLISHED = Published(
    _create_published,
    (
        (r"^expand_conv\.", "embed.conv."),
        (r"^expand_bn\.", "embed.norm."),
        (r"^shrink\.", "head."),
        # Their layers alternate: a wide convolution, a pointwise one.
        *(
            (rf"^layers_{theirs}\.{2 * block + offset}\.", f"{name}.{block}.{ours}.")
            for block in range(8)
            for offset, name in ((0, "wide"), (1, "pointwise"))
            for theirs, ours in (("conv", "conv"), ("bn", "norm"))
        ),
    ),
    ((r"^head\.weight$", drop_kernel),),
)
