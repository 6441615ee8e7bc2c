"""Stories as training batches: read, vary, tokenize, put into rows.

A row begins with a story's first token, so training sees what generation will see. Rows have one of a few lengths; the
shortest that holds the story is taken and the rest of the row is filled with the beginnings of other stories.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

SEPARATOR = "<|endoftext|>"
GIRLS = ("Lily Sara Lucy Mia Anna Amy Sue Emma Jane Daisy Jill Mary Sally Bella Molly Ella Rose Lisa Kitty Jenny Sarah "
         "Lola Maya Grace Ruby Lila Zoe Lulu Nina Polly Kate Ava Sophie Mandy Betty Penny").split()
BOYS = ("Tom Tim Ben Max Sam Jack Timmy John Bob Joe Billy Bobby Mike Tommy Leo Jim Johnny Jake Fred Peter Jimmy Charlie "
        "Spot Mark David Andy Alex Harry Danny Henry Buddy Freddy Will").split()


def read_stories(path: Path) -> list[str]:
    stories = (part.strip() for part in path.read_text(encoding="utf-8").split(SEPARATOR))
    return [story for story in stories if story]


class NameSwapper:
    """Gives the people of a story other names, drawn as often as the corpus has them, always the same for one person.

    What a story says of Lily is as true of Mia. A small corpus read many times teaches more this way, above all to carry
    a name through a story instead of remembering whose story it was.
    """

    def __init__(self, stories: list[str]):
        self.pattern = re.compile(r"\b(" + "|".join(GIRLS + BOYS) + r")\b")
        counts = Counter(name for story in stories for name in set(self.pattern.findall(story)))
        self.weights = [{name: counts[name] + 1 for name in group} for group in (GIRLS, BOYS)]

    def __call__(self, story: str, rng: random.Random) -> str:
        present = sorted(set(self.pattern.findall(story)))
        # "Timmy" may be called Tim for short: such stories stay as they are.
        if not present or any(a != b and a.startswith(b) for a in present for b in present):
            return story
        mapping: dict[str, str] = {}
        for name in present:
            weights = self.weights[0 if name in self.weights[0] else 1]
            free = [other for other in weights if other not in mapping.values()]
            mapping[name] = rng.choices(free, [weights[other] for other in free])[0]
        return self.pattern.sub(lambda match: mapping[match.group(1)], story)


class StoryRows:
    """An endless stream of batches (tokens, targets), each of about `batch_tokens` tokens and one row length."""

    def __init__(self, tokenizer: Tokenizer, stories: list[str], books: list[str], lengths: tuple[int, ...],
                 batch_tokens: int, swap_share: float, seed: int):
        self.tokenizer, self.stories, self.lengths = tokenizer, stories, sorted(lengths)
        self.batch_tokens, self.swap_share = batch_tokens, swap_share
        self.swap = NameSwapper(stories)
        self.rng = random.Random(seed)
        self.begin = tokenizer.token_to_id("<|begin_of_text|>")
        self.end = tokenizer.token_to_id("<|end_of_text|>")
        self.book_tokens = [np.array(tokenizer.encode(book, add_special_tokens=False).ids, dtype=np.int64)
                            for book in books]
        self.epoch = 0
        self.batches = self._stories_forever()

    def _epoch_rows(self) -> dict[int, list[np.ndarray]]:
        texts = [self.swap(story, self.rng) if self.rng.random() < self.swap_share else story
                 for story in self.stories]
        documents = [np.array([self.begin, *e.ids, self.end], dtype=np.int64)
                     for e in self.tokenizer.encode_batch(texts, add_special_tokens=False)]
        rows: dict[int, list[np.ndarray]] = {length: [] for length in self.lengths}
        for document in documents:
            length = next((n for n in self.lengths if len(document) <= n + 1), self.lengths[-1])
            parts, total = [document], len(document)
            while total < length + 1:
                filler = documents[self.rng.randrange(len(documents))]
                parts.append(filler)
                total += len(filler)
            rows[length].append(np.concatenate(parts)[:length + 1])
        return rows

    def _stories_forever(self) -> Iterator[np.ndarray]:
        while True:
            batches = []
            for length, rows in self._epoch_rows().items():
                self.rng.shuffle(rows)
                size = max(1, self.batch_tokens // length)
                batches += [np.stack(rows[at:at + size]) for at in range(0, len(rows) - size + 1, size)]
            self.rng.shuffle(batches)
            yield from batches
            self.epoch += 1

    def _book_batch(self) -> np.ndarray:
        length = self.lengths[-1]
        rows = []
        for _ in range(max(1, self.batch_tokens // length)):
            book = self.rng.choices(self.book_tokens, [len(b) for b in self.book_tokens])[0]
            at = self.rng.randrange(len(book) - length - 1)
            rows.append(book[at:at + length + 1])
        return np.stack(rows)

    def next(self, book_share: float) -> tuple[torch.Tensor, torch.Tensor]:
        rows = self._book_batch() if self.rng.random() < book_share else next(self.batches)
        rows = torch.from_numpy(rows)
        return rows[:, :-1].contiguous(), rows[:, 1:].contiguous()


def evaluation_rows(tokenizer: Tokenizer, stories: list[str], length: int) -> tuple[torch.Tensor, torch.Tensor, int]:
    """(tokens, targets, bytes of the targets): each story alone behind its first token, cut at `length` tokens, the way
    `bitnet perplexity --stories` counts. Targets past a story's end are -1."""
    begin = tokenizer.token_to_id("<|begin_of_text|>")
    tokens = torch.zeros((len(stories), length), dtype=torch.int64)
    targets = torch.full((len(stories), length), -1, dtype=torch.int64)
    n_bytes = 0
    for row, story in enumerate(stories):
        ids = tokenizer.encode(story, add_special_tokens=False).ids[:length - 1]
        n_bytes += len(tokenizer.decode(ids).encode())
        tokens[row, :len(ids) + 1] = torch.tensor([begin, *ids])
        targets[row, :len(ids)] = torch.tensor(ids)
    return tokens, targets, n_bytes
