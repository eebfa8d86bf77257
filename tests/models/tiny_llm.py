"""A language model of 40 kB with random weights, made on the spot: it writes nonsense, as any model would be asked for it.

Only for child processes that have torch and transformers; see `services.transformers`.
"""

from __future__ import annotations

from pathlib import Path

END, UNKNOWN, PAD = "</s>", "<unk>", "<pad>"
TOKENS = [END, UNKNOWN, PAD, *"abcdeglnru", "Ġ", "re", "red", "Ġred", "Ġa", "Ġb", "<", ">", "Ċ"]
MERGES = [("r", "e"), ("re", "d"), ("Ġ", "red"), ("Ġ", "a"), ("Ġ", "b")]
CONTEXT, LAYERS, HEADS, KEY_HEADS, HIDDEN, INNER = 256, 2, 4, 2, 32, 64
TEMPLATE = "{% for m in messages %}<{{ m.role[0] }}>{{ m.content }}\n{% endfor %}{% if add_generation_prompt %}<a>{% endif %}"


def tokenizer(template: str | None = None):
    """Bytes, and a few merges."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.BPE(vocab={token: number for number, token in enumerate(TOKENS)}, merges=MERGES))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token=END, unk_token=UNKNOWN, pad_token=PAD)
    made.chat_template = template
    return made


def model(seed: int = 0):
    """A small llama. Its answers end after some twenty tokens, mostly."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(TOKENS),
        hidden_size=HIDDEN,
        intermediate_size=INNER,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=KEY_HEADS,
        max_position_embeddings=CONTEXT,
        initializer_range=0.2,
        bos_token_id=None,
        eos_token_id=0,
        pad_token_id=2,
    )
    return LlamaForCausalLM(config).eval()


def save(folder: Path, *, template: str | None = None, made=None) -> Path:
    """The model as a folder with safetensors."""
    (made or model()).save_pretrained(folder)
    tokenizer(template).save_pretrained(folder)
    return folder


def save_gguf(path: Path) -> Path:
    """The same model, weights and tokenizer, as one GGUF file."""
    import gguf
    import numpy as np

    writer = gguf.GGUFWriter(path, "llama")
    for name, value in {
        "context_length": CONTEXT,
        "embedding_length": HIDDEN,
        "block_count": LAYERS,
        "feed_forward_length": INNER,
        "head_count": HEADS,
        "head_count_kv": KEY_HEADS,
        "layer_norm_rms_eps": 1e-6,
        "rope_freq_base": 10000.0,
        "rope_dimension_count": HIDDEN // HEADS,
        "vocab_size": len(TOKENS),
        "tokenizer_model": "gpt2",
        "token_list": TOKENS,
        "token_types": [3 if number < 3 else 1 for number in range(len(TOKENS))],
        "token_merges": [" ".join(pair) for pair in MERGES],
        "eos_token_id": 0,
        "bos_token_id": 0,
        "unk_token_id": 1,
        "pad_token_id": 2,
    }.items():
        getattr(writer, f"add_{name}")(value)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, LAYERS)
    for name, weight in model().state_dict().items():
        heads = {"q_proj": HEADS, "k_proj": KEY_HEADS}.get(name.split(".")[-2])
        values = weight.numpy().astype(np.float32)
        writer.add_tensor(f"{names.get_name(name.removesuffix('.weight'))}.weight", _turned(values, heads) if heads else values)
    for write in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file, writer.close):
        write()
    return path


def _turned(values, heads: int):
    """GGUF keeps the halves of a rotation side by side, transformers one after the other."""
    return values.reshape(heads, 2, values.shape[0] // heads // 2, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)
