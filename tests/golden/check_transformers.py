"""Cross-checks the oracle against Hugging Face transformers on the golden models.

Builds each tiny model in the package's own classes: BitNetForCausalLM for the bitnet architectures, LlamaForCausalLM
for llama. Ternary projections become transformers' own AutoBitLinear (its offline mode: trits as weights, a separate
weight_scale, ActQuant on the input), so activation rounding is theirs, not ours. Everything runs in float32 on the
CPU, against the float64 oracle with a full-precision cache, on prompts clear of rounding ties. Exits with 77, saying
so, where torch or transformers is missing.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np

os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")  # torch.compile would need a compiler and change nothing here
try:
    import torch
    import transformers
    from transformers import BitNetQuantConfig
    from transformers.integrations.bitnet import AutoBitLinear, replace_with_bitnet_linear
except ImportError as error:
    print(f"SKIPPED: {error}; pip install torch transformers", file=sys.stderr)
    sys.exit(77)

import oracle
from make_golden import PROMPT_LENGTH, Pair

HERE = Path(__file__).resolve().parent
TOLERANCE = 1e-4  # relative to the spread of the logits
MODULES = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
           "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
           "ffn_down": "mlp.down_proj"}
NORMS = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
         "attn_sub_norm": "self_attn.attn_sub_norm", "ffn_sub_norm": "mlp.ffn_sub_norm"}


def tensor(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).to(torch.float32)


def half_split_rows(weight: np.ndarray, heads: int) -> np.ndarray:
    """Undoes the llama converter's row order: adjacent rotation pairs back to half-split, as transformers has them."""
    return weight.reshape(heads, -1, 2, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)


def build(model: oracle.Model) -> torch.nn.Module:
    """The same network in transformers' classes, with the oracle's decoded weights."""
    traits = oracle.ARCHITECTURES[model.architecture]
    n_vocab, n_embd = model.embedding.shape
    kind = "BitNet" if traits["sub_norms"] else "Llama"
    activation = {"relu2": "relu2", "silu": "silu"}[traits["activation"]]
    sizes = {} if kind == "BitNet" else {"head_dim": model.head_dim}
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=n_vocab, hidden_size=n_embd, intermediate_size=len(model.layers[0]["ffn_gate"].weight),
        num_hidden_layers=model.n_layer, num_attention_heads=model.n_head, num_key_value_heads=model.n_kv_head,
        hidden_act=activation, max_position_embeddings=64, rms_norm_eps=model.eps, tie_word_embeddings=False,
        rope_parameters={"rope_type": "default", "rope_theta": model.rope_base}, bos_token_id=None, eos_token_id=None,
        attn_implementation="eager", **sizes)
    network = getattr(transformers, f"{kind}ForCausalLM")(config).to(torch.float32).eval()
    if model.layers[0]["attn_q"].ternary:
        replace_with_bitnet_linear(network, ["lm_head"], BitNetQuantConfig(
            modules_to_not_convert=["lm_head"], linear_class="autobitlinear", quantization_mode="offline"))
    network.model.rotary_emb.inv_freq = network.model.rotary_emb.inv_freq / tensor(model.rope_divisors)
    network.model.embed_tokens.weight.data = tensor(model.embedding)
    network.model.norm.weight.data = tensor(model.output_norm)
    network.lm_head.weight.data = tensor(model.head)
    for n, layer in enumerate(model.layers):
        block = network.model.layers[n]
        for name, path in NORMS.items():
            if name in layer:
                block.get_submodule(path).weight.data = tensor(layer[name])
        for name, path in MODULES.items():
            linear, module = layer[name], block.get_submodule(path)
            weight = linear.weight
            if not traits["half_split"] and name in ("attn_q", "attn_k"):
                weight = half_split_rows(weight, model.n_head if name == "attn_q" else model.n_kv_head)
            if linear.ternary:
                assert isinstance(module, AutoBitLinear) and not module.online_quant
                # One scale for the tensor goes where transformers keeps it; per-block scales stay in the weights.
                scale = float(np.abs(weight).max())
                uniform = scale > 0 and bool(np.all((weight == 0) | (np.abs(weight) == scale)))
                module.weight = torch.nn.Parameter(tensor(np.sign(weight) if uniform else weight), requires_grad=False)
                module.weight_scale = tensor(np.array([(scale if uniform else 1.0) * linear.factor]))
            else:
                module.weight.data = tensor(weight * linear.factor)
    return network


def clear_prompt(path: Path) -> tuple[list[int], np.ndarray]:
    """Tokens whose rounding is beyond doubt with a full-precision cache, and the oracle's logits of them."""
    pair = Pair(path, half_margin=0.0, half_cache=False)
    prompt: list[int] = []
    for token in np.random.default_rng(1).permutation(len(pair.models[0].embedding)).tolist() * 4:
        if token not in prompt and pair.accept(token):
            prompt.append(token)
        if len(prompt) == PROMPT_LENGTH:
            break
    assert len(prompt) == PROMPT_LENGTH, f"{path}: no clear prompt"
    return prompt, np.vstack(pair.logits[0])


def main() -> int:
    print(f"transformers {transformers.__version__}, torch {torch.__version__}")
    failures = 0
    records = [json.loads(file.read_text()) for file in sorted(HERE.glob("*.golden.json"))]
    assert records, "no golden models: run make_golden.py first"
    for record in records:
        path = HERE / record["model"]
        if record["architecture"] in ("qwen3", "gemma3"):
            continue  # check_embedders.py
        if record["spread"] == 0:
            print(f"{record['name']:16} left out: all zero, there is nothing to compare")
            continue
        prompt, wanted = clear_prompt(path)
        network = build(oracle.load_model(path))
        with torch.no_grad():
            found = network(torch.tensor([prompt]), use_cache=False).logits[0].double().numpy()
        gap, spread = float(np.abs(found - wanted).max()), float(wanted.std())
        good = gap <= TOLERANCE * spread
        failures += not good
        linear = type(network.model.layers[0].self_attn.q_proj).__name__
        print(f"{record['name']:16} {type(network).__name__}, {linear:13} largest gap {gap:.1e} of spread "
              f"{spread:.2f}: {'ok' if good else 'TOO FAR'}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
