"""A BitNet b1.58 model in PyTorch for quantisation-aware training: the graph of microsoft's BitNet-b1.58-2B-4T.

Matrices are kept in full precision and seen by every forward pass as ternary (absmean), activations as int8 (absmax per
token); gradients pass straight through both roundings. What runs here is what the engine runs from the exported file.
Shapes: B rows of T tokens, D = n_embd, H heads of width d, K key-value heads, F = n_ff.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WEIGHT_EPS = 1e-5      # least absmean
ACTIVATION_EPS = 1e-5  # least absmax of a token


@dataclass(frozen=True)
class Shape:
    n_vocab: int = 2048
    n_embd: int = 256
    n_layer: int = 6
    n_head: int = 4
    n_head_kv: int = 2
    n_ff: int = 768
    n_ctx: int = 512
    rope_base: float = 10000.0
    rms_eps: float = 1e-5

    @property
    def head_dim(self) -> int:
        return self.n_embd // self.n_head

    def as_dict(self) -> dict:
        return asdict(self)


def absmean(weight: Tensor) -> Tensor:
    """The scale of a ternary matrix: the mean of |w|."""
    return weight.abs().mean().clamp_min(WEIGHT_EPS)


def ternary(weight: Tensor) -> tuple[Tensor, Tensor]:
    """(codes -1, 0, +1 as floats, scale) with weight ~ codes * scale."""
    scale = absmean(weight)
    return (weight / scale).round().clamp(-1, 1), scale


def straight_through(value: Tensor, rounded: Tensor) -> Tensor:
    """`rounded` in the forward pass, the gradient of `value` in the backward pass."""
    return value + (rounded - value).detach()


def quantise_tokens(x: Tensor) -> tuple[Tensor, Tensor]:
    """(integers -127..127 as bf16, step per token) of activations (..., n); integers up to 256 are exact in bf16."""
    step = x.detach().abs().amax(-1, keepdim=True).clamp_min(ACTIVATION_EPS) / 127
    scaled = x / step
    return straight_through(scaled, scaled.round()).to(torch.bfloat16), step


class BitLinear(nn.Module):
    """y = ternary(W) x for a W of (n_out, n_in)."""

    def __init__(self, n_in: int, n_out: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_out, n_in) * n_in**-0.5)

    def forward(self, quantised: tuple[Tensor, Tensor]) -> Tensor:
        integers, step = quantised
        codes, scale = ternary(self.weight.detach())
        weight = straight_through(self.weight / scale, codes).to(torch.bfloat16)
        return F.linear(integers, weight).float() * (step * scale)


class RMSNorm(nn.Module):
    def __init__(self, width: int, eps: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps) * self.weight


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """RoPE over halves: element i turns with element i + d/2. x is (B, heads, T, d), cos and sin (T, d/2)."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


class Layer(nn.Module):
    def __init__(self, s: Shape):
        super().__init__()
        self.shape = s
        self.attn_norm = RMSNorm(s.n_embd, s.rms_eps)
        self.attn_q = BitLinear(s.n_embd, s.n_embd)
        self.attn_k = BitLinear(s.n_embd, s.n_head_kv * s.head_dim)
        self.attn_v = BitLinear(s.n_embd, s.n_head_kv * s.head_dim)
        self.attn_sub_norm = RMSNorm(s.n_embd, s.rms_eps)
        self.attn_output = BitLinear(s.n_embd, s.n_embd)
        self.ffn_norm = RMSNorm(s.n_embd, s.rms_eps)
        self.ffn_gate = BitLinear(s.n_embd, s.n_ff)
        self.ffn_up = BitLinear(s.n_embd, s.n_ff)
        self.ffn_sub_norm = RMSNorm(s.n_ff, s.rms_eps)
        self.ffn_down = BitLinear(s.n_ff, s.n_embd)

    def attention(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        s = self.shape
        rows, n, _ = x.shape
        h = quantise_tokens(self.attn_norm(x))

        def heads(y: Tensor, count: int) -> Tensor:
            return y.view(rows, n, count, s.head_dim).transpose(1, 2)

        q = rotate(heads(self.attn_q(h), s.n_head), cos, sin).to(torch.bfloat16)
        k = rotate(heads(self.attn_k(h), s.n_head_kv), cos, sin).to(torch.bfloat16)
        v = heads(self.attn_v(h), s.n_head_kv).to(torch.bfloat16)
        group = s.n_head // s.n_head_kv
        k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        a = a.transpose(1, 2).reshape(rows, n, s.n_embd).float()
        return self.attn_output(quantise_tokens(self.attn_sub_norm(a)))

    def feed_forward(self, x: Tensor) -> Tensor:
        h = quantise_tokens(self.ffn_norm(x))
        z = F.relu(self.ffn_gate(h)).square() * self.ffn_up(h)
        return self.ffn_down(quantise_tokens(self.ffn_sub_norm(z)))

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        x = x + self.attention(x, cos, sin)
        return x + self.feed_forward(x)


class StoriesModel(nn.Module):
    def __init__(self, s: Shape):
        super().__init__()
        self.shape = s
        self.token_embd = nn.Parameter(torch.randn(s.n_vocab, s.n_embd) * 0.02)  # also the output matrix
        self.layers = nn.ModuleList(Layer(s) for _ in range(s.n_layer))
        self.output_norm = RMSNorm(s.n_embd, s.rms_eps)
        frequency = s.rope_base ** (-torch.arange(0, s.head_dim, 2, dtype=torch.float64) / s.head_dim)
        angle = torch.outer(torch.arange(s.n_ctx, dtype=torch.float64), frequency)
        self.register_buffer("cos", angle.cos().float(), persistent=False)
        self.register_buffer("sin", angle.sin().float(), persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits (B, T, n_vocab) of tokens (B, T)."""
        n = tokens.shape[1]
        cos, sin = self.cos[:n], self.sin[:n]
        x = F.embedding(tokens, self.token_embd)
        for layer in self.layers:
            x = layer(x, cos, sin)
        return F.linear(self.output_norm(x).to(torch.bfloat16), self.token_embd.to(torch.bfloat16)).float()

    def loss(self, tokens: Tensor, targets: Tensor) -> Tensor:
        """Mean nats per token over targets (B, T); -1 is not counted."""
        logits = self(tokens)
        return F.cross_entropy(logits.view(-1, logits.shape[-1]), targets.reshape(-1), ignore_index=-1)

    def n_ternary(self) -> int:
        return sum(m.weight.numel() for m in self.modules() if isinstance(m, BitLinear))
