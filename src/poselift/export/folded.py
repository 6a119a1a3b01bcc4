"""HTNet and NanoHTNet as they are best computed once training is over.

Same function of the same weights as ``poselift.models``, to float rounding. What is constant at
inference is folded: the affine of a LayerNorm into the linear after it, the attention's scale
into its queries, the symmetrised adjacency of a graph convolution into one mixing matrix, the
part level's writing of limbs into joints into another. Tokens are rows (B J, C), sample by
sample, so that every linear is one product with its bias, and no step copies what it need not.

The constants are computed from the weights in each call, until :func:`freeze` keeps them. A
graph traced before that holds the weights as they are stored and the folding as nodes, which a
runtime computes when it loads the graph.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from poselift.models.htnet import NUM_JOINTS, HTNet
from poselift.models.layers.attention import Attention
from poselift.models.layers.graph import ModulatedGraphConv
from poselift.models.layers.topology import (
    BodyLevel,
    JointLevel,
    PartLevel,
    PartScale,
    TopologyBlock,
)
from poselift.models.nanohtnet import NanoHTNet


def fold(network: nn.Module) -> nn.Module:
    """The inference network of a network in eval mode; itself where nothing is to be folded.

    Returns:
        (B, F, 17, 2) normalised 2D joints -> (B, n, 17, 3) metres, as ``network``. It shares the
        weights of ``network``.
    """
    if isinstance(network, HTNet):
        return FoldedHTNet(network)
    if isinstance(network, NanoHTNet):
        return FoldedNanoHTNet(network)
    return network


def freeze(network: nn.Module) -> nn.Module:
    """Compute all constants once, in place: the weights may not change any more."""
    with torch.no_grad():
        for part in network.modules():
            if isinstance(part, Folded):
                part.freeze()
    return network


class Folded(nn.Module):
    """A part with constants that follow from weights."""

    frozen: tuple[str, ...] = ()

    def fold(self) -> tuple[Tensor, ...]:
        """The constants, from the weights."""
        raise NotImplementedError

    def freeze(self) -> None:
        """Keep the constants."""
        constants = self.fold()
        self.frozen = tuple(f"constant{i}" for i in range(len(constants)))
        for name, constant in zip(self.frozen, constants, strict=True):
            self.register_buffer(name, constant.detach().clone().contiguous())

    def constants(self) -> tuple[Tensor, ...]:
        """The constants, kept or computed now."""
        if self.frozen:
            return tuple(getattr(self, name) for name in self.frozen)
        return self.fold()


def affine_into(norm: nn.LayerNorm, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """(in, out) weight and (out,) bias of ``(γ n + β) W + b`` as a function of n."""
    return norm.weight[:, None] * weight, bias + norm.bias @ weight


def plain_norm(x: Tensor, norm: nn.LayerNorm) -> Tensor:
    """The normalisation without its affine."""
    return F.layer_norm(x, norm.normalized_shape, eps=norm.eps)


class FoldedLinear(Folded):
    """A linear, with the LayerNorm before it if there is one: (N, in) -> (N, out).

    Args:
        linear: its weights.
        norm: LayerNorm before it.
    """

    def __init__(self, linear: nn.Linear, norm: nn.LayerNorm | None = None) -> None:
        super().__init__()
        self.linear, self.norm = linear, norm

    def fold(self) -> tuple[Tensor, ...]:
        """(in, out), (out,)."""
        weight, bias = self.linear.weight.T, self.linear.bias
        return (weight, bias) if self.norm is None else affine_into(self.norm, weight, bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in) -> (N, out)."""
        weight, bias = self.constants()
        if self.norm is not None:
            x = plain_norm(x, self.norm)
        return torch.addmm(bias, x, weight)


class FoldedGraphConv(Folded):
    """A modulated graph convolution, with the LayerNorm before it if there is one.

    Both products are one; the rows of the two results are then interleaved, which no copy is
    needed for, and mixed by one (J, 2J) matrix that holds ``A∘I`` and ``A∘(1−I)``.
    """

    def __init__(self, conv: ModulatedGraphConv, norm: nn.LayerNorm | None = None) -> None:
        super().__init__()
        self.conv, self.norm = conv, norm
        self.num_nodes, self.out_dim = conv.modulation.shape

    def fold(self) -> tuple[Tensor, ...]:
        """(in, 2 out), (2 out,), (J, 1, out), (J, 2J), (out,)."""
        conv = self.conv
        weight = torch.cat((conv.weight[0], conv.weight[1]), dim=1)  # (in, 2 out)
        inner = torch.zeros(2 * self.out_dim)
        if self.norm is not None:
            weight, inner = affine_into(self.norm, weight, inner)
        total = conv.adjacency + conv.affinity
        symmetric = (total + total.T) / 2  # (J, J)
        eye = torch.eye(self.num_nodes)
        mixing = torch.stack((symmetric * eye, symmetric * (1 - eye)), dim=2).flatten(1)  # (J, 2J)
        return weight, inner, conv.modulation[:, None], mixing, conv.bias

    def forward(self, x: Tensor) -> Tensor:
        """(B J, in) -> (B J, out)."""
        weight, inner, modulation, mixing, bias = self.constants()
        if self.norm is None:
            both = torch.mm(x, weight)
        else:
            both = torch.addmm(inner, plain_norm(x, self.norm), weight)  # (B J, 2 out)
        both = both.view(-1, self.num_nodes, 2, self.out_dim) * modulation
        rows = both.view(-1, 2 * self.num_nodes, self.out_dim)  # (B, 2J, out)
        return torch.matmul(mixing, rows) + bias  # (B, J, out)


class FoldedJointLevel(nn.Module):
    """``x + LN(conv2(GELU(conv1(LN(x)))))``."""

    def __init__(self, level: JointLevel) -> None:
        super().__init__()
        self.conv1 = FoldedGraphConv(level.conv1, level.norm_in)
        self.conv2 = FoldedGraphConv(level.conv2)
        self.norm_out = level.norm_out

    def forward(self, x: Tensor) -> Tensor:
        """(B J, D) -> (B J, D)."""
        hidden = F.gelu(self.conv1(x)).view(-1, self.conv1.out_dim)
        out: Tensor = self.norm_out(self.conv2(hidden)).view(-1, self.conv2.out_dim)
        return x + out


class FoldedPartScale(Folded):
    """One scale of the part level: (4 B, 3 D) normalised joints of limbs -> (4 B, D)."""

    def __init__(self, scale: PartScale) -> None:
        super().__init__()
        self.scale = scale
        self.expand = FoldedLinear(scale.mlp.fc1, scale.norm_mlp)
        self.reduce = FoldedLinear(scale.mlp.fc2)

    def fold(self) -> tuple[Tensor, ...]:
        """(3 D, D), (D,): joints of the limb that this scale does not read weigh nothing."""
        scale = self.scale
        gain, shift = (x.repeat(scale.length) for x in (scale.norm.weight, scale.norm.bias))
        weight = scale.merge.weight.T  # (length D, D)
        bias = scale.merge.bias + shift @ weight
        unread = (3 - scale.length) * weight.shape[1]
        return F.pad(gain[:, None] * weight, (0, 0, unread, 0)), bias

    def forward(self, limbs: Tensor) -> Tensor:
        """(4 B, 3 D) -> (4 B, D)."""
        weight, bias = self.constants()
        feature = F.gelu(torch.addmm(bias, limbs, weight))
        return feature + self.reduce(F.gelu(self.expand(feature)))


class FoldedPartLevel(Folded):
    """Both scales of the part level and the residual.

    ``gain * n + shift + writing @ features + u``, n the normalised joints that no limb replaces.
    """

    def __init__(self, level: PartLevel) -> None:
        super().__init__()
        self.whole, self.outer = FoldedPartScale(level.whole), FoldedPartScale(level.outer)
        limbs = [j for first in level.whole.first_read for j in range(first, first + 3)]
        self.register_buffer("limbs", torch.tensor(limbs), persistent=False)
        writing = torch.zeros(NUM_JOINTS, 8)
        for side, scale in enumerate((level.whole, level.outer)):
            for start, count, source in scale.writes:
                writing[start : start + count, 4 * side + source] = 1.0
        self.register_buffer("writing", writing, persistent=False)

    limbs: Tensor
    writing: Tensor

    def fold(self) -> tuple[Tensor, ...]:
        """(17, D), (17, D)."""
        norms = self.whole.scale.norm, self.outer.scale.norm
        kept = 1 - self.writing.view(NUM_JOINTS, 2, 4).sum(dim=2)  # (17, 2)
        gain, shift = (
            kept @ torch.stack(both)
            for both in zip(*((norm.weight, norm.bias) for norm in norms), strict=True)
        )
        return gain, shift

    def forward(self, u: Tensor) -> Tensor:
        """(B 17, D) -> (B 17, D)."""
        gain, shift = self.constants()
        D = u.shape[1]
        n = plain_norm(u, self.whole.scale.norm).view(-1, NUM_JOINTS, D)
        limbs = n.index_select(1, self.limbs).view(-1, 3 * D)  # (4 B, 3 D)
        features = torch.cat(
            [part(limbs).view(-1, 4, D) for part in (self.whole, self.outer)], dim=1
        )  # (B, 8, D)
        written = torch.matmul(self.writing, features) + (n * gain + shift)
        return written.view(-1, D) + u


class FoldedAttention(Folded):
    """Attention with the LayerNorm before it: (B J, D) -> (B J, D)."""

    def __init__(self, attention: Attention, norm: nn.LayerNorm, num_nodes: int) -> None:
        super().__init__()
        self.attention, self.norm, self.num_nodes = attention, norm, num_nodes
        self.proj = FoldedLinear(attention.proj)

    def fold(self) -> tuple[Tensor, ...]:
        """(D, 3 D), (3 D,): the scale of the scores is in the queries."""
        qkv = self.attention.qkv
        dim = qkv.in_features
        scale = (dim // self.attention.num_heads) ** -0.5
        scales = torch.cat((torch.full((dim,), scale), torch.ones(2 * dim)))
        weight, bias = affine_into(self.norm, qkv.weight.T, qkv.bias)
        return weight * scales, bias * scales

    def forward(self, x: Tensor) -> Tensor:
        """(B J, D) -> (B J, D)."""
        weight, bias = self.constants()
        heads, D = self.attention.num_heads, x.shape[1]
        qkv = torch.addmm(bias, plain_norm(x, self.norm), weight)  # (B J, 3 D)
        qkv = qkv.view(-1, self.num_nodes, 3, heads, D // heads).permute(2, 0, 3, 1, 4)
        q, k, v = torch.split(qkv, 1)  # each (1, B, heads, J, head_dim)
        # Between two reshapes, or ONNX Runtime would join the transpositions into a slow one.
        kt = k.reshape(-1, self.num_nodes, D // heads).transpose(1, 2)
        kt = kt.view(1, -1, heads, D // heads, self.num_nodes)
        shares = torch.softmax(q @ kt, dim=-1)  # (1, B, heads, J, J)
        out = (shares @ v).permute(0, 1, 3, 2, 4).reshape(-1, D)
        return self.proj(out)


class FoldedBlock(nn.Module):
    """Levels in a row, then the MLP over all channels: (B J, C) -> (B J, C)."""

    def __init__(self, block: nn.Module, num_nodes: int) -> None:
        super().__init__()
        assert isinstance(block, TopologyBlock)
        levels: list[nn.Module] = []
        for level in block.levels.values():
            if isinstance(level, JointLevel):
                levels.append(FoldedJointLevel(level))
            elif isinstance(level, PartLevel):
                levels.append(FoldedPartLevel(level))
            elif isinstance(level, BodyLevel):
                levels.append(FoldedBody(level, num_nodes))
        self.levels = nn.ModuleList(levels)
        self.expand = FoldedLinear(block.mlp.fc1, block.norm_mlp)
        self.reduce = FoldedLinear(block.mlp.fc2)

    def forward(self, x: Tensor) -> Tensor:
        """(B J, C) -> (B J, C)."""
        outputs: list[Tensor] = []
        for share, level in zip(x.chunk(len(self.levels), dim=1), self.levels, strict=True):
            outputs.append(level(share + outputs[-1] if outputs else share))
        merged = torch.cat(outputs, dim=1)
        return merged + self.reduce(F.gelu(self.expand(merged)))


class FoldedBody(nn.Module):
    """``x + attention(LN(x))``."""

    def __init__(self, level: BodyLevel, num_nodes: int) -> None:
        super().__init__()
        self.attention = FoldedAttention(level.attention, level.norm, num_nodes)

    def forward(self, x: Tensor) -> Tensor:
        """(B J, D) -> (B J, D)."""
        return x + self.attention(x)


class FoldedEmbed(Folded):
    """A linear and the position of each token: (B, J, in) -> (B J, C)."""

    def __init__(self, linear: nn.Linear, position: Tensor) -> None:
        super().__init__()
        self.linear, self.position = linear, position

    def fold(self) -> tuple[Tensor, ...]:
        """(in, C), (J, C)."""
        return self.linear.weight.T, self.position[0] + self.linear.bias

    def forward(self, x: Tensor) -> Tensor:
        """(B, J, in) -> (B J, C)."""
        weight, position = self.constants()
        return (torch.matmul(x, weight) + position).view(-1, position.shape[1])


class FoldedHTNet(nn.Module):
    """HTNet for inference."""

    def __init__(self, network: HTNet) -> None:
        super().__init__()
        self.embed = FoldedEmbed(network.embed, network.position)
        self.blocks = nn.Sequential(*(FoldedBlock(block, NUM_JOINTS) for block in network.blocks))
        self.head = FoldedLinear(network.head, network.norm)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, 17, 2) -> (B, 1, 17, 3)."""
        tokens = self.embed(x.view(-1, NUM_JOINTS, 2))
        joints: Tensor = self.head(self.blocks(tokens))
        return joints.view(-1, 1, NUM_JOINTS, 3)


class FoldedNanoHTNet(nn.Module):
    """NanoHTNet for inference."""

    dct: Tensor

    def __init__(self, network: NanoHTNet) -> None:
        super().__init__()
        config = network.config
        self.frames, self.out, self.head_dim = (
            config.num_frames,
            config.num_out_frames,
            config.head_dim,
        )
        self.register_buffer("dct", network.dct, persistent=False)
        self.joint_embed = FoldedEmbed(network.joint_embed, network.joint_position)
        self.joint_blocks = nn.Sequential(
            *(FoldedBlock(block, NUM_JOINTS) for block in network.joint_blocks)
        )
        self.joint_head = FoldedLinear(network.joint_head, network.joint_norm)
        self.coeff_embed = FoldedEmbed(network.coeff_embed, network.coeff_position)
        self.coeff_blocks = nn.Sequential(
            *(FoldedBlock(block, self.out) for block in network.coeff_blocks)
        )
        self.coeff_head = FoldedLinear(network.coeff_head, network.coeff_norm)
        self.head = FoldedLinear(network.head)

    def forward(self, x: Tensor) -> Tensor:
        """(B, F, 17, 2) -> (B, n, 17, 3)."""
        n, h = self.out, self.head_dim
        joints = x.transpose(1, 2).reshape(-1, NUM_JOINTS, 2 * self.frames)
        tokens = self.joint_blocks(self.joint_embed(joints))  # (B 17, C)
        spatial = self.joint_head(tokens).view(-1, NUM_JOINTS, n, h).transpose(1, 2)

        coeffs = torch.matmul(self.dct, x.view(-1, self.frames, 2 * NUM_JOINTS))  # (B, n, 34)
        tokens = self.coeff_blocks(self.coeff_embed(coeffs))  # (B n, C)
        temporal = self.coeff_head(tokens).view(-1, n, NUM_JOINTS, h)

        both = torch.cat((spatial, temporal), dim=3).view(-1, 2 * h)  # (B n 17, 2h)
        joints = self.head(both)
        return joints.view(-1, n, NUM_JOINTS, 3)
