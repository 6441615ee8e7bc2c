"""Cross-checks qwen3 and gemma3 golden models against Hugging Face transformers, and writes the embeddings it gives.

Builds each tiny model as the package's own Qwen3ForCausalLM or Gemma3ForCausalLM; where the file has norms of projection
inputs, each nn.Linear becomes the BitLinear of microsoft's BitNet embedding models: RMSNorm of the input with a weight of
its own, int8 per token, a ternary matrix (microsoft/BitNet docs/bitnet-embeddings-i2s-guide.md, 3.1). Logits are compared
with the float64 oracle on prompts clear of rounding ties. The embeddings of the golden prompts - pooled as the file says,
divided by their length - go to expected_embeddings.json (--write) for tests/api/embedder_test.cpp: as transformers computes
them ("plain"), and with keys and values rounded to half precision, which is how the engine keeps them and what turns an
int8 rounding behind them around here and there ("half_cache"). Exits with 77, saying so, where torch or transformers is
missing.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Iterator

import numpy as np

os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")  # torch.compile would need a compiler and change nothing here
try:
    import torch
    import transformers
    from transformers.models.gemma3 import modeling_gemma3
    from transformers.models.qwen3 import modeling_qwen3
except ImportError as error:
    print(f"SKIPPED: {error}; pip install torch transformers", file=sys.stderr)
    sys.exit(77)

import oracle
from check_transformers import MODULES, TOLERANCE, clear_prompt, tensor
from make_golden import compact_json

HERE = Path(__file__).resolve().parent
EMBEDDINGS = HERE / "expected_embeddings.json"
NORMS = {"attn_norm": "input_layernorm", "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm"}
FFN_NORMS = {"Qwen3": {"ffn_norm": "post_attention_layernorm"},
             "Gemma3": {"ffn_norm": "pre_feedforward_layernorm", "post_attention_norm": "post_attention_layernorm",
                        "post_ffw_norm": "post_feedforward_layernorm"}}


class BitLinear(torch.nn.Module):
    """RMSNorm, activations to int8 per token, a ternary matrix. `weight` has the masters' values: trits times a scale."""

    def __init__(self, weight: torch.Tensor, norm: torch.Tensor, eps: float):
        super().__init__()
        self.norm = torch.nn.RMSNorm(len(norm), eps=eps)
        self.norm.weight.data = norm
        scale = weight.abs().max()
        self.trits, self.scale = torch.round(weight / scale), scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(x)
        scale = 127 / x.abs().amax(dim=-1, keepdim=True).clamp(min=1e-5)
        return torch.nn.functional.linear((x * scale).round().clamp(-128, 127), self.trits) / scale * self.scale


def rope_parameters(model: oracle.Model) -> dict:
    full: dict = {"rope_type": "default", "rope_theta": model.rope_base}
    if model.rope_factor != 1.0:
        full |= {"rope_type": "linear", "factor": model.rope_factor}
    if model.architecture == "qwen3":
        return full
    return {"full_attention": full, "sliding_attention": {"rope_type": "default", "rope_theta": model.sliding_rope_base}}


def build(model: oracle.Model) -> torch.nn.Module:
    kind = {"qwen3": "Qwen3", "gemma3": "Gemma3"}[model.architecture]
    sizes: dict = {}
    if kind == "Gemma3":
        layer_types = ["sliding_attention" if model.slides(n) else "full_attention" for n in range(model.n_layer)]
        sizes = {"query_pre_attn_scalar": model.head_dim, "hidden_activation": "gelu_pytorch_tanh",
                 "layer_types": layer_types, "sliding_window": model.window or 4096}
    config = getattr(transformers, f"{kind}{'Text' if kind == 'Gemma3' else ''}Config")(
        vocab_size=len(model.embedding), hidden_size=model.embedding.shape[1],
        intermediate_size=len(model.layers[0]["ffn_gate"].weight), num_hidden_layers=model.n_layer,
        num_attention_heads=model.n_head, num_key_value_heads=model.n_kv_head, head_dim=model.head_dim,
        max_position_embeddings=64, rms_norm_eps=model.eps, tie_word_embeddings=False,
        rope_parameters=rope_parameters(model), bos_token_id=None, eos_token_id=None, pad_token_id=None,
        attn_implementation="eager", **sizes)
    network = getattr(transformers, f"{kind}ForCausalLM")(config).to(torch.float32).eval()
    offset = 1.0 if kind == "Gemma3" else 0.0  # Gemma's own norms multiply by 1 + weight

    def set_norm(module: torch.nn.Module, values: np.ndarray) -> None:
        module.weight.data = tensor(values - offset)

    network.model.embed_tokens.weight.data = tensor(model.embedding)
    set_norm(network.model.norm, model.output_norm)
    network.lm_head.weight.data = tensor(model.head)
    for n, layer in enumerate(model.layers):
        block = network.model.layers[n]
        for name, path in (NORMS | FFN_NORMS[kind]).items():
            set_norm(block.get_submodule(path), layer[name])
        for name, path in MODULES.items():
            linear = layer[name]
            if linear.norm_in is None:
                block.get_submodule(path).weight.data = tensor(linear.weight)
            else:
                parent, attribute = path.rsplit(".", 1)
                setattr(block.get_submodule(parent), attribute,
                        BitLinear(tensor(linear.weight), tensor(linear.norm_in), model.eps))
    return network


@contextlib.contextmanager
def half_cache() -> Iterator[None]:
    """Keys and values pass through half precision on their way into attention."""
    modules = (modeling_qwen3, modeling_gemma3)
    plain = [module.eager_attention_forward for module in modules]
    for module, attend in zip(modules, plain):
        def rounded(layer, query, key, value, *rest, attend=attend, **more):
            return attend(layer, query, key.half().float(), value.half().float(), *rest, **more)
        module.eager_attention_forward = rounded
    try:
        yield
    finally:
        for module, attend in zip(modules, plain):
            module.eager_attention_forward = attend


def embedding(model: oracle.Model, network: torch.nn.Module, prompt: list[int]) -> list[float]:
    with torch.no_grad():
        hidden = network.model(torch.tensor([prompt]), use_cache=False).last_hidden_state[0].double().numpy()
    pooling = model.metadata[f"{model.architecture}.pooling_type"]
    pooled = hidden.mean(axis=0) if pooling == 1 else hidden[-1]
    return [round(float(value), 8) for value in pooled / np.linalg.norm(pooled)]


def main() -> int:
    print(f"transformers {transformers.__version__}, torch {torch.__version__}")
    failures, embeddings = 0, {}
    for file in sorted(HERE.glob("*.golden.json")):
        record = json.loads(file.read_text())
        if record["architecture"] not in ("qwen3", "gemma3"):
            continue
        path = HERE / record["model"]
        prompt, wanted = clear_prompt(path)
        model = oracle.load_model(path)
        network = build(model)
        with torch.no_grad():
            found = network(torch.tensor([prompt]), use_cache=False).logits[0].double().numpy()
        gap, spread = float(np.abs(found - wanted).max()), float(wanted.std())
        good = gap <= TOLERANCE * spread
        failures += not good
        linear = type(network.model.layers[0].self_attn.q_proj).__name__
        print(f"{record['name']:16} {type(network).__name__}, {linear:9} largest gap {gap:.1e} of spread {spread:.2f}: "
              f"{'ok' if good else 'TOO FAR'}")
        if f"{record['architecture']}.pooling_type" in model.metadata:
            vectors = {"plain": embedding(model, network, record["prompt"])}
            with half_cache():
                vectors["half_cache"] = embedding(model, network, record["prompt"])
            print(f"{'':16} cosine of the two embeddings {np.dot(*vectors.values()):.6f}")
            embeddings[record["name"]] = vectors
    if "--write" in sys.argv[1:]:
        EMBEDDINGS.write_text(compact_json(embeddings) + "\n")
    else:
        stored = json.loads(EMBEDDINGS.read_text())
        good = stored.keys() == embeddings.keys() and all(
            np.allclose(stored[name][kind], embeddings[name][kind], atol=1e-6) for name in stored for kind in stored[name])
        failures += not good
        print(f"{EMBEDDINGS.name}: {'ok' if good else 'DIFFERS'}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
