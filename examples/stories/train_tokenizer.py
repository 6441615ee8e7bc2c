"""Trains the stories model's vocabulary: byte-level BPE, split by the llama-bpe pattern, written as tokenizer.json.

    python3 train_tokenizer.py --out tokenizer.json TRAIN.txt [BOOK.txt ...]

Every byte is a token, so any text can be written; whole frequent words are tokens too. The file is what Hugging Face's
`tokenizers` reads, and `bitnet_tokenizer_load` as well.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

BEGIN, END = "<|begin_of_text|>", "<|end_of_text|>"
SEPARATOR = "<|endoftext|>"  # between the stories of a file
# The pattern of Llama 3, that GGUF calls "llama-bpe".
PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
           r"|\s+(?!\S)|\s+")


def new_tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), behavior="isolated", invert=False),
        pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("texts", nargs="+", type=Path, help="text files; stories are separated by <|endoftext|> lines")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--vocab", type=int, default=2048, help="tokens in all, the two control tokens included")
    arguments = parser.parse_args()

    tokenizer = new_tokenizer()
    # The control tokens get the last ids: bytes and merges first, as in the official vocabulary.
    trainer = trainers.BpeTrainer(vocab_size=arguments.vocab - 2, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    stories = (story for path in arguments.texts
               for story in path.read_text(encoding="utf-8").split(SEPARATOR))
    tokenizer.train_from_iterator(stories, trainer)
    tokenizer.add_special_tokens([AddedToken(BEGIN, special=True), AddedToken(END, special=True)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A", special_tokens=[(BEGIN, tokenizer.token_to_id(BEGIN))])
    tokenizer.save(str(arguments.out))

    sample = arguments.texts[0].read_text(encoding="utf-8")[:1_000_000].replace(SEPARATOR, "")
    n_tokens = len(tokenizer.encode(sample, add_special_tokens=False).ids)
    print(f"{arguments.out}: {tokenizer.get_vocab_size()} tokens, {len(sample.encode()) / n_tokens:.3f} bytes per token")


if __name__ == "__main__":
    main()
