"""Encoders of some 50 kB with random weights, made on the spot: one of each kind that the shipped configs name, and others.

Only for child processes that have torch and transformers; see `services.transformers`.
"""

from __future__ import annotations

from pathlib import Path

PAD, UNKNOWN, START, END = 0, 1, 2, 3
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
WORDS = [*SPECIAL, *"storm harbour ferry choir song keeper penalty goal match the a reached sang scored in . ,".split()]
POSITIONS = 40
SMALL = {"vocab_size": len(WORDS), "pad_token_id": PAD, "max_position_embeddings": POSITIONS}
USUAL = {**SMALL, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}


def tokenizer(kind: str):
    """Words between two special tokens; ModernBERT and RoBERTa are told of no segments."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    inner.normalizer = normalizers.Lowercase()
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", START), ("[SEP]", END)]
    )
    inputs = ["input_ids", "attention_mask", *(["token_type_ids"] if kind in ("bert", "deberta-v2") else [])]
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", model_input_names=inputs
    )


def config(kind: str):
    """The config of a kind of encoder, as small as it goes."""
    import transformers as t

    if kind == "distilbert":
        return t.DistilBertConfig(**SMALL, dim=16, n_layers=2, n_heads=2, hidden_dim=32)
    if kind == "deberta-v2":  # as DeBERTa-v3 has it: relative places, in buckets
        relative = {"relative_attention": True, "position_buckets": 8, "norm_rel_ebd": "layer_norm", "share_att_key": True}
        relative |= {"pos_att_type": ["p2c", "c2p"], "position_biased_input": False, "type_vocab_size": 0}
        return t.DebertaV2Config(**USUAL, **relative)
    if kind == "roberta":
        return t.RobertaConfig(**{**USUAL, "max_position_embeddings": POSITIONS + 1 + PAD}, type_vocab_size=1)
    if kind == "modernbert":  # turned places, no table of them
        return t.ModernBertConfig(**USUAL, cls_token_id=START, sep_token_id=END, bos_token_id=START, eos_token_id=END)
    if kind == "bart":
        return t.BartConfig(vocab_size=len(WORDS), d_model=16, encoder_layers=1, decoder_layers=1, encoder_ffn_dim=32, decoder_ffn_dim=32,
                            encoder_attention_heads=2, decoder_attention_heads=2, pad_token_id=PAD)  # fmt: skip
    return t.BertConfig(**USUAL)


def save(folder: Path, kind: str = "bert", *, seed: int = 0) -> str:
    """RETURNS (str): The folder of an encoder with safetensors."""
    import torch
    from transformers import AutoModel

    torch.manual_seed(seed)
    AutoModel.from_config(config(kind)).save_pretrained(folder)
    tokenizer(kind).save_pretrained(folder)
    return str(folder)
