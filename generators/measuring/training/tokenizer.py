"""A byte-level BPE tokenizer trained on the corpus, and the corpus as ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

END, PADDING = "<|endoftext|>", "<|padding|>"
"""Ids 0 and 1. Padding never occurs in a text, so generation does not take a real token for it."""

_BATCH = 512


def train(texts: Iterable[str], vocab_size: int, context_len: int) -> Any:
    """A transformers tokenizer of `vocab_size` tokens; any text comes back unchanged from its ids."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END, PADDING],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=END,
        eos_token=END,
        pad_token=PADDING,
        model_max_length=context_len,
        clean_up_tokenization_spaces=False,
    )


def encode(tokenizer: Any, texts: Sequence[str]) -> np.ndarray[Any, Any]:
    """All texts as one row of 16-bit ids, each text followed by the end-of-text token."""
    import numpy as np

    return np.concatenate([np.array(row, dtype=np.uint16) for row in _rows(tokenizer, texts)])


def _rows(tokenizer: Any, texts: Sequence[str]) -> Iterator[list[int]]:
    """Ids of a few hundred texts at a time, so that the encodings do not pile up."""
    for start in range(0, len(texts), _BATCH):
        for encoding in tokenizer.backend_tokenizer.encode_batch_fast(
            list(texts[start : start + _BATCH]), add_special_tokens=False
        ):
            yield [*encoding.ids, tokenizer.eos_token_id]
