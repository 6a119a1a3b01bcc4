"""MotionAGFormer: attention over all tokens beside graph convolutions over neighbouring ones.

Paper: Mehraban, Adeli, Taati, "MotionAGFormer: Enhancing 3D Human Pose Estimation with a
Transformer-GCNFormer Network", WACV 2024, section 3. Predicts every frame of its window.
Verified: golden vectors of the authors' code (tests/models).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from poselift.errors import UsageError
from poselift.models.checks import check_rates, check_sizes, check_transformer
from poselift.models.host import VideoHost, positions_for, with_confidence
from poselift.models.htnet import NUM_JOINTS
from poselift.models.layers.attention import Attention
from poselift.models.layers.common import MLP, DropPath
from poselift.models.layers.fusion import AdaptiveFusion
from poselift.models.layers.transformer import FRAMES, JOINTS
from poselift.models.published import Published, Rename, published_value
from poselift.skeleton import H36M_17

ONE_WAY = (("thorax", "left_shoulder"), ("thorax", "right_shoulder"), ("pelvis", "left_hip"))
"""Bones whose parent does not read the child, though the child reads the parent.

The authors wrote the neighbours of each joint by hand and gave at most two: released weights were
trained with this graph.
"""


@dataclass(frozen=True)
class MotionAGFormerConfig:
    """Sizes of a MotionAGFormer; the defaults are the published base model.

    Args:
        num_frames: F, frames in the window.
        num_out_frames: frames in its centre that are predicted, at most F.
        dim: channels, a multiple of ``num_heads``.
        depth: levels.
        hidden: hidden size of the MLPs.
        motion_dim: channels of the motion representation in front of the head.
        num_heads: heads of the attention.
        neighbours: similar frames that a frame is linked to, as a rule itself among them (in HoT's
            version four, and four heads).
        layer_scale: how much each residual branch counts at first.
        drop_path: stochastic depth of every residual branch.
    """

    num_frames: int = 243
    num_out_frames: int = 243
    dim: int = 128
    depth: int = 16
    hidden: int = 512
    motion_dim: int = 512
    num_heads: int = 8
    neighbours: int = 2
    layer_scale: float = 1e-5
    drop_path: float = 0.0

    def __post_init__(self) -> None:
        check_sizes(motion_dim=self.motion_dim, neighbours=self.neighbours)
        check_transformer(self)
        check_rates(self.drop_path)
        if self.neighbours > self.num_frames:
            raise UsageError(
                f"{self.neighbours} neighbours among {self.num_frames} frames",
                "at most the window's frames",
            )


def joint_links() -> Tensor:
    """(17, 17) which joints (columns) each joint (row) reads: D^-1/2 A D^-1/2."""
    links = torch.zeros(NUM_JOINTS, NUM_JOINTS)
    for parent, child in H36M_17.bones:
        links[parent, child] = links[child, parent] = 1.0
    for parent_name, child_name in ONE_WAY:
        links[H36M_17.index(parent_name), H36M_17.index(child_name)] = 0.0
    scale = links.sum(dim=1).rsqrt()  # (17,)
    return scale[:, None] * links * scale[None, :]


class NodeNorm(nn.BatchNorm1d):
    """Batch norm with statistics for each node: over batch, channels and the other axis.

    Args:
        num_nodes: joints or frames.
        axis: of the nodes. Fewer nodes than ``num_nodes`` are those around the centre.
    """

    def __init__(self, num_nodes: int, axis: int) -> None:
        super().__init__(num_nodes)
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        """(B, F, 17, C) -> (B, F, 17, C)."""
        assert self.running_mean is not None
        assert self.running_var is not None
        mean, variance, weight, bias = (
            positions_for(nodes[None], x.shape[self.axis])[0]
            for nodes in (self.running_mean, self.running_var, self.weight, self.bias)
        )
        nodes_second = x.transpose(1, self.axis)
        out = nn.functional.batch_norm(nodes_second, mean, variance, weight, bias, self.training)
        return out.transpose(1, self.axis)


class GraphConv(nn.Module):
    """``ReLU(x + BN(D^-1/2 A D^-1/2 V(x) + U(x)))``, over joints or over frames.

    Args:
        dim: channels.
        num_nodes: J or F, for the batch norm.
        axis: of the nodes, ``JOINTS`` or ``FRAMES``.
    """

    def __init__(self, dim: int, num_nodes: int, axis: int) -> None:
        super().__init__()
        self.to_self = nn.Linear(dim, dim)
        self.to_others = nn.Linear(dim, dim)
        self.norm = NodeNorm(num_nodes, axis)

    @abstractmethod
    def gather(self, values: Tensor, x: Tensor) -> Tensor:
        """Sum of the neighbours' ``values`` (B, F, 17, C), where ``x`` may say who they are."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, F, 17, C) -> (B, F, 17, C)."""
        return torch.relu(x + self.norm(self.gather(self.to_others(x), x) + self.to_self(x)))


class JointGraphConv(GraphConv):
    """Over the skeleton."""

    links: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__(dim, NUM_JOINTS, JOINTS)
        self.register_buffer("links", joint_links(), persistent=False)

    def gather(self, values: Tensor, x: Tensor) -> Tensor:
        """(B, F, 17, C) -> (B, F, 17, C)."""
        return self.links @ values


class FrameGraphConv(GraphConv):
    """Over the frames in which a joint is most alike, by the product of its tokens.

    Args:
        dim: channels.
        num_frames: F.
        neighbours: frames that each frame is linked to, as a rule itself among them.
    """

    def __init__(self, dim: int, num_frames: int, neighbours: int) -> None:
        super().__init__(dim, num_frames, FRAMES)
        self.neighbours = neighbours

    def gather(self, values: Tensor, x: Tensor) -> Tensor:
        """(B, F, 17, C) -> (B, F, 17, C).

        Each row of A has as many links, so that D^-1/2 A D^-1/2 takes their mean. The authors link
        all frames that are as similar as the last of them: the same but for exact ties, where
        their result jumps with the rounding of a product.
        """
        B, F, J, C = x.shape
        nodes = x.transpose(1, 2).flatten(0, 1)  # (B 17, F, C)
        similarity = nodes @ nodes.mT  # (B 17, F, F)
        nearest = similarity.topk(min(self.neighbours, F), dim=-1).indices  # (B 17, F, k)
        first = torch.arange(B * J, device=x.device)[:, None, None] * F
        rows = values.transpose(1, 2).reshape(B * J * F, C)
        gathered = rows[nearest + first].mean(dim=2)  # (B 17, F, C)
        return gathered.view(B, J, F, C).transpose(1, 2)


class Block(nn.Module):
    """A mixer and an MLP, each normalised before it and with a scaled residual.

    Args:
        config: sizes.
        mixer: attention or graph convolution.
        axis: along which it mixes.
    """

    def __init__(self, config: MotionAGFormerConfig, mixer: nn.Module, axis: int) -> None:
        super().__init__()
        self.norm_mixer = nn.LayerNorm(config.dim)
        self.mixer = mixer
        self.scale_mixer = nn.Parameter(torch.full((config.dim,), config.layer_scale))
        self.norm_mlp = nn.LayerNorm(config.dim)
        self.mlp = MLP(config.dim, config.hidden)
        self.scale_mlp = nn.Parameter(torch.full((config.dim,), config.layer_scale))
        self.drop_path = DropPath(config.drop_path, axis)

    def forward(self, x: Tensor) -> Tensor:
        """(B, F, 17, C) -> (B, F, 17, C)."""
        x = x + self.drop_path(self.scale_mixer * self.mixer(self.norm_mixer(x)))
        return x + self.drop_path(self.scale_mlp * self.mlp(self.norm_mlp(x)))


class MotionAGFormerLevel(nn.Module):
    """The attention branch and the graph branch, joints before frames in both, fused.

    Args:
        config: sizes.
    """

    def __init__(self, config: MotionAGFormerConfig) -> None:
        super().__init__()
        dim, heads = config.dim, config.num_heads
        self.attention = nn.Sequential(
            *(
                Block(config, Attention(dim, heads, axis=axis, qkv_bias=False), axis)
                for axis in (JOINTS, FRAMES)
            )
        )
        frame_graph = FrameGraphConv(dim, config.num_frames, config.neighbours)
        self.graph = nn.Sequential(
            Block(config, JointGraphConv(dim), JOINTS), Block(config, frame_graph, FRAMES)
        )
        self.fusion = AdaptiveFusion(dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, F, 17, C) -> (B, F, 17, C)."""
        return self.fusion(self.attention(tokens), self.graph(tokens))


class MotionAGFormer(VideoHost):
    """The network. See :class:`MotionAGFormerConfig` and the head of this file."""

    qkv_bias = False
    reads_confidence = True

    def __init__(self, config: MotionAGFormerConfig) -> None:
        super().__init__()
        self.config = config
        self.dim = config.dim
        self.joint_embed = nn.Linear(3, config.dim)
        self.joint_position = nn.Parameter(torch.zeros(1, NUM_JOINTS, config.dim))
        self.levels = nn.ModuleList(MotionAGFormerLevel(config) for _ in range(config.depth))
        # A level by itself: HoT recovers frames from tokens that are normalised.
        self.levels.add_module("norm", nn.LayerNorm(config.dim))
        self.motion = nn.Linear(config.dim, config.motion_dim)
        self.head = nn.Linear(config.motion_dim, 3)

    def embed(self, x: Tensor) -> Tensor:
        """(B, F, 17, 2 or 3) normalised 2D joints and confidence -> (B, F, 17, C)."""
        return self.joint_embed(with_confidence(x)) + self.joint_position

    def readout(self, tokens: Tensor) -> Tensor:
        """(B, F, 17, C) -> (B, F, 17, 3) metres relative to the pelvis."""
        return self.head(torch.tanh(self.motion(tokens)))

    def keep_frames(self, level: int, num_frames: int) -> None:
        """From ``level`` on the batch norms over frames have ``num_frames`` nodes."""
        for module in self.levels[level:].modules():
            if isinstance(module, FrameGraphConv):
                module.norm = NodeNorm(num_frames, FRAMES)


def config_from_published(config: Mapping[str, Any]) -> MotionAGFormerConfig:
    """Ours from the authors' hyper-parameters; those not given are as in their class.

    That is HoT's version: the configurations released with the paper give all of them.
    """
    their = {"dim_feat": 128, "n_layers": 16, "mlp_ratio": 4, "dim_rep": 512, "num_heads": 4}
    given = {**their, "neighbour_num": 4, "n_frames": config.get("maxlen"), **config}

    def value(key: str) -> int:
        return published_value(given, key)

    return MotionAGFormerConfig(
        num_frames=value("n_frames"),
        num_out_frames=value("n_frames"),
        dim=value("dim_feat"),
        depth=value("n_layers"),
        hidden=value("dim_feat") * value("mlp_ratio"),
        motion_dim=value("dim_rep"),
        num_heads=value("num_heads"),
        neighbours=value("neighbour_num"),
    )


RENAMES: tuple[Rename, ...] = (
    (r"^pos_embed$", "joint_position"),
    (r"^joints_embed\.", "joint_embed."),
    (r"^rep_logit\.fc\.", "motion."),
    (r"^layers\.", "levels."),
    (r"^norm\.", "levels.norm."),
    (r"\.fusion\.", ".fusion.weigh."),
    (r"\.att_spatial\.", ".attention.0."),
    (r"\.att_temporal\.", ".attention.1."),
    (r"\.graph_spatial\.", ".graph.0."),
    (r"\.graph_temporal\.", ".graph.1."),
    (r"\.norm1\.", ".norm_mixer."),
    (r"\.norm2\.", ".norm_mlp."),
    (r"\.layer_scale_1$", ".scale_mixer"),
    (r"\.layer_scale_2$", ".scale_mlp"),
    (r"\.mixer\.U\.", ".mixer.to_self."),
    (r"\.mixer\.V\.", ".mixer.to_others."),
    (r"\.mixer\.batch_norm\.", ".mixer.norm."),
)

PUBLISHED = Published(lambda config: MotionAGFormer(config_from_published(config)), RENAMES)
