#!/usr/bin/env python3
"""Compares our token ids with those of the Hugging Face `tokenizers` package (and `sentencepiece`, where installed).

    compare_tokenizers.py --tool build/dev/bin/tokenize_stream [--data ../shared/data] [--strings 10000] [--only NAME]

Every case is one tokenizer.json: the Llama 3 file itself, and variants made here from the GPT-2 and Llama 2
vocabularies so that every supported normalizer, pre-tokenizer and added-token option is compared. Each case runs over
random multilingual strings (seeded) and over every Unicode code point, alone and between letters, digits and spaces.
Exit status: 0 equal, 1 different, 77 a package or the data is missing.
"""
import argparse
import json
import os
import random
import struct
import subprocess
import sys
import tempfile

try:
    import tokenizers
except ImportError:
    print("SKIPPED: the Python package 'tokenizers' is not installed", file=sys.stderr)
    sys.exit(77)

ADD_DEFAULT, PARSE_SPECIAL = 4, 2
CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
SPACES = [9, 10, 11, 12, 13, 28, 29, 30, 31, 32, 0x85, 0xA0, 0x1680, 0x180E, 0x2000, 0x2003, 0x200A, 0x200B, 0x2028,
          0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF, 0x2581]
# First and last code point of blocks that texts mix: scripts, marks, digits, symbols, emoji, private use.
BLOCKS = [(0x20, 0x7E), (0x20, 0x7E), (0x61, 0x7A), (0x30, 0x39), (0, 0x1F), (0x7F, 0xFF), (0x100, 0x24F),
          (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x4FF), (0x590, 0x5FF), (0x600, 0x6FF), (0x660, 0x669),
          (0x900, 0x97F), (0xE00, 0xE7F),
          (0x1100, 0x11FF), (0x1780, 0x17FF), (0x2000, 0x206F), (0x2070, 0x209F), (0x20A0, 0x20CF), (0x2100, 0x218F),
          (0x2190, 0x22FF), (0x2460, 0x24FF), (0x2500, 0x27BF), (0x3000, 0x303F), (0x3040, 0x30FF), (0x4E00, 0x9FFF),
          (0xAC00, 0xD7A3), (0xE000, 0xE0FF), (0xFB00, 0xFB4F), (0xFE00, 0xFE0F), (0xFF00, 0xFFEF), (0x10300, 0x1034F),
          (0x11D50, 0x11DAF), (0x1D400, 0x1D7FF), (0x1F000, 0x1FAFF), (0x1F3FB, 0x1F3FF), (0x20000, 0x2A6DF),
          (0x31350, 0x323AF), (0xE0020, 0xE007F)]
FIXED = ["'s", "'S", "'T", "'RE", "'re", "'Ve", "'m", "'LL", "'d", "'D", "'\u017f", "\r\n", "\n\n", "\n \n", " \n",
         "  ", "\u200d", "\ufe0f", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f1e9\U0001f1ea", "1234567",
         "3.14", "<|eot_id|>", "<|begin_of_text|>", "<|end", "</s>", "<s>", "<unk>", "<0x0A>", "hello", " world",
         "don't", "WE'LL",
         "foo_bar(x)", "http://a.b/c?d=e&f", "\u0000", "\u2581", "\u2581\u2581", "\u0120", "<pad>", "special", "<mask>"]


def random_string(rng):
    out = []
    for _ in range(rng.choice([1, 2, 3, 5, 8, 13, 30, 60])):
        kind = rng.random()
        if kind < 0.2:
            out.append(rng.choice(FIXED))
        elif kind < 0.35:
            out.append(chr(rng.choice(SPACES)) * rng.choice([1, 1, 1, 2, 3, 5, 17]))
        elif kind < 0.4:
            out.append(chr(rng.choice(CODE_POINTS)))
        else:
            first, last = rng.choice(BLOCKS)
            out.append("".join(chr(rng.randint(first, last)) for _ in range(rng.choice([1, 2, 3, 6, 12]))))
    return "".join(out)


def all_texts(n_strings, everything):
    rng = random.Random(20260101)
    texts = [random_string(rng) for _ in range(n_strings)]
    step = 1 if everything else 97
    for cp in CODE_POINTS[::step]:
        c = chr(cp)
        texts += [c, "a%sb" % c, " %s1" % c, "'%s" % c, "%s's" % c, "\n%s\n" % c, "12%s345" % c, "%s%s " % (c, c)]
    return texts


def ours(tool, path, texts, flags):
    data = [t.encode("utf-8") for t in texts]
    blob = b"".join(struct.pack("<I", len(d)) + d for d in data)
    run = subprocess.run([tool, path, str(flags)], input=blob, stdout=subprocess.PIPE, check=False)
    if run.returncode != 0:
        return None
    out, at = [], 0
    while at < len(run.stdout):
        (n,) = struct.unpack_from("<I", run.stdout, at)
        out.append(list(struct.unpack_from("<%dI" % n, run.stdout, at + 4)))
        at += 4 + 4 * n
    return out


def read_pieces(path):
    """(text, score, type) of a SentencePiece model; just enough of protocol buffers."""
    data = open(path, "rb").read()

    def fields(data):
        at = 0

        def varint():
            nonlocal at
            value = shift = 0
            while True:
                byte = data[at]
                at += 1
                value |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    return value
        while at < len(data):
            key = varint()
            if key & 7 == 0:
                value = varint()
            else:
                size = varint() if key & 7 == 2 else {1: 8, 5: 4}[key & 7]
                value = data[at:at + size]
                at += size
            yield key >> 3, value

    for field, value in fields(data):
        if field == 1:
            piece = dict(fields(value))
            yield piece[1].decode("utf-8"), struct.unpack("<f", piece.get(2, b"\0\0\0\0"))[0], piece.get(3, 1)


def gpt2_parts(data):
    vocab = json.load(open(os.path.join(data, "tokenizer/gpt2/gpt2_vocab.json"), encoding="utf-8"))
    lines = open(os.path.join(data, "tokenizer/gpt2/gpt2_merges.txt"), encoding="utf-8").read().split("\n")
    return vocab, [line for line in lines if line and not line.startswith("#version")]


def llama2_parts(data):
    pieces = list(read_pieces(os.path.join(data, "tokenizer/llama2/tokenizer.model")))
    vocab = {text: i for i, (text, _, _) in enumerate(pieces)}
    merges = []
    for text, score, kind in pieces:
        if kind != 1:
            continue
        pairs = [(text[:i], text[i:]) for i in range(1, len(text)) if text[:i] in vocab and text[i:] in vocab]
        pairs.sort(key=lambda p: (vocab[p[0]], vocab[p[1]]))
        merges += [(score, pair) for pair in pairs]
    merges.sort(key=lambda m: -m[0])
    return vocab, [list(pair) for _, pair in merges]


def added(*tokens):
    out = []
    for token_id, content, options in tokens:
        entry = dict(id=token_id, content=content, single_word=False, lstrip=False, rstrip=False, normalized=False,
                     special=True)
        entry.update(options)
        out.append(entry)
    return out


def document(model, normalizer=None, pre_tokenizer=None, post_processor=None, added_tokens=()):
    return dict(version="1.0", truncation=None, padding=None, added_tokens=list(added_tokens), normalizer=normalizer,
                pre_tokenizer=pre_tokenizer, post_processor=post_processor, decoder=None, model=model)


def bpe_model(vocab, merges, **options):
    model = dict(type="BPE", dropout=None, unk_token=None, continuing_subword_prefix=None, end_of_word_suffix=None,
                 fuse_unk=False, byte_fallback=False, ignore_merges=False, vocab=vocab, merges=merges)
    model.update(options)
    return model


def byte_level(use_regex, add_prefix_space=False):
    return dict(type="ByteLevel", add_prefix_space=add_prefix_space, trim_offsets=True, use_regex=use_regex)


def split(regex, behavior="Isolated", literal=False):
    return dict(type="Split", pattern={"String" if literal else "Regex": regex}, behavior=behavior, invert=False)


def sequence(*parts):
    return dict(type="Sequence", pretokenizers=list(parts))


QWEN2 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
         r"\s+(?!\S)|\s+")
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def byte_level_cases(data):
    vocab, merges = gpt2_parts(data)
    end = added((50256, "<|endoftext|>", {}))
    model = bpe_model(vocab, merges)
    yield "gpt2", document(model, pre_tokenizer=byte_level(True), added_tokens=end)
    yield "gpt2-prefix-space", document(model, pre_tokenizer=byte_level(True, True), added_tokens=end)
    yield "qwen2-regex", document(model, pre_tokenizer=sequence(split(QWEN2), byte_level(False)))
    yield "o200k-regex", document(bpe_model(vocab, merges, ignore_merges=True),
                                  pre_tokenizer=sequence(split(O200K), byte_level(False)))
    yield "falcon", document(model, pre_tokenizer=sequence(
        dict(type="Punctuation", behavior="Contiguous"), byte_level(True), dict(type="Digits", individual_digits=False),
        split("[0-9][0-9][0-9]")), added_tokens=end)
    digits = dict(type="Digits", individual_digits=True)
    yield "digits", document(model, pre_tokenizer=sequence(digits, byte_level(True)))
    for behavior in ("MergedWithPrevious", "MergedWithNext", "Contiguous"):
        yield "split-" + behavior, document(model, pre_tokenizer=sequence(
            split("e", behavior, literal=True), dict(type="Punctuation", behavior=behavior), split(r"\s", behavior),
            byte_level(False)))
    tokens = added((50256, "<|endoftext|>", {}), (50257, "<pad>", dict(lstrip=True)),
                   (50258, "<mask>", dict(rstrip=True)), (50259, "<s>", dict(lstrip=True, rstrip=True)),
                   (50260, "foo_bar", dict(single_word=True, special=False)),
                   (vocab["special"], "special", dict(single_word=True, special=False)),
                   (vocab["hello"], "hello", dict(normalized=True, special=False)),
                   (50261, "hello world", dict(normalized=False)), (50262, "don't", dict(normalized=True)),
                   (50263, "</s>", dict(single_word=True, lstrip=True, normalized=True)))
    template = dict(type="TemplateProcessing", single=[{"SpecialToken": dict(id="<s>", type_id=0)},
                                                       {"Sequence": dict(id="A", type_id=0)},
                                                       {"SpecialToken": dict(id="</s>", type_id=0)}],
                    pair=[{"Sequence": dict(id="A", type_id=0)}, {"Sequence": dict(id="B", type_id=1)}],
                    special_tokens={"<s>": dict(id="<s>", ids=[50259], tokens=["<s>"]),
                                    "</s>": dict(id="</s>", ids=[50263], tokens=["</s>"])})
    yield "added-tokens", document(model, pre_tokenizer=byte_level(True), added_tokens=tokens)
    yield "template", document(model, pre_tokenizer=byte_level(True), added_tokens=tokens, post_processor=template)


def sentencepiece_cases(data):
    vocab, merges = llama2_parts(data)
    fallback = bpe_model(vocab, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    # Without byte tokens the ids have gaps; that is a case of its own.
    unknown = bpe_model({t: i for t, i in vocab.items() if not t.startswith("<0x")}, merges, unk_token="<unk>")
    replace = dict(type="Replace", pattern=dict(String=" "), content="\u2581")
    llama = dict(type="Sequence", normalizers=[dict(type="Prepend", prepend="\u2581"), replace])
    tokens = added((0, "<unk>", {}), (1, "<s>", {}), (2, "</s>", {}))
    more = tokens + added((32000, "<pad>", dict(normalized=True, special=False)), (32001, "<mask>", dict(lstrip=True)),
                          (32002, "hello world", dict(normalized=True, special=False)))
    yield "llama2", document(fallback, normalizer=llama, added_tokens=tokens)
    yield "llama2-added", document(fallback, normalizer=llama, added_tokens=more)
    yield "llama2-unknown", document(unknown, normalizer=llama, added_tokens=tokens)
    yield "llama2-fused-unknown", document(dict(unknown, fuse_unk=True), normalizer=llama, added_tokens=tokens)
    for scheme in ("first", "always", "never"):
        for cut in (True, False):
            metaspace = dict(type="Metaspace", replacement="\u2581", prepend_scheme=scheme, split=cut)
            yield "metaspace-%s-%s" % (scheme, cut), document(fallback, pre_tokenizer=metaspace, added_tokens=more)


def report(name, texts, expected, actual):
    if actual is None:
        print("%-24s FAILED: the tool refused the file" % name)
        return 1
    wrong = [i for i in range(len(texts)) if expected[i] != actual[i]]
    print("%-24s %d texts, %d differ" % (name, len(texts), len(wrong)), flush=True)
    for i in wrong[:8]:
        print("  %a\n    expected %s\n    ours     %s" % (texts[i][:80], expected[i][:40], actual[i][:40]))
    return 1 if wrong else 0


def compare_json(name, path, tool, n_strings, everything):
    texts = all_texts(n_strings, everything)
    theirs = tokenizers.Tokenizer.from_file(path)
    with_template = name == "template"
    expected = [e.ids for e in theirs.encode_batch(texts, add_special_tokens=with_template)]
    if with_template:  # a text that begins with BOS already gets no second one from us
        expected = [ids[1:] if len(ids) > 1 and ids[0] == ids[1] else ids for ids in expected]
    flags = PARSE_SPECIAL | (ADD_DEFAULT if with_template else 0)
    return report(name, texts, expected, ours(tool, path, texts, flags))


def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def mark_unused(model, every):
    """The model with every n-th normal piece of more than one character marked as unused."""
    out, at, count = b"", 0, 0
    while at < len(model) and model[at] == 0x0A:  # the pieces come first
        size, shift, start = 0, 0, at + 1
        while True:
            byte = model[start]
            size |= (byte & 127) << shift
            shift += 7
            start += 1
            if byte < 128:
                break
        piece = model[start:start + size]
        at = start + size
        text_size = piece[1]
        if text_size < 128 and len(piece) == text_size + 7 and len(piece[2:2 + text_size].decode("utf-8")) > 1:
            count += 1
            if count % every == 0:
                piece += b"\x18\x05"
        out += b"\x0A" + varint(len(piece)) + piece
    return out + model[at:]


def sentencepiece_models(sentencepiece, data, folder):
    yield "sp-llama2", os.path.join(data, "tokenizer/llama2/tokenizer.model")
    options = {
        "sp-fallback": dict(byte_fallback=True, remove_extra_whitespaces=False),
        "sp-unknown": dict(byte_fallback=False, remove_extra_whitespaces=True),
        "sp-no-prefix": dict(byte_fallback=True, add_dummy_prefix=False, remove_extra_whitespaces=True),
        "sp-user": dict(byte_fallback=True, remove_extra_whitespaces=False, control_symbols=["<ctl>"],
                        user_defined_symbols=["<sep>", "\u2581\u2581", "once", "on", "\u2581a\u2581", "\U0001f600"]),
    }
    for name, extra in options.items():
        prefix = os.path.join(folder, name)
        sentencepiece.SentencePieceTrainer.train(
            input=os.path.join(data, "tinystories/valid.txt"), model_prefix=prefix, vocab_size=700, model_type="bpe",
            normalization_rule_name="identity", minloglevel=2, num_threads=1, **extra)
        yield name, prefix + ".model"
        if name in ("sp-fallback", "sp-unknown"):
            model = mark_unused(open(prefix + ".model", "rb").read(), 3)
            with open(prefix + "-unused.model", "wb") as file:
                file.write(model)
            yield name + "-unused", prefix + "-unused.model"


def compare_sentencepiece(tool, data, folder, n_strings, only):
    try:
        import sentencepiece
    except ImportError:
        print("%-24s skipped: the package 'sentencepiece' is not installed" % "sentencepiece")
        return 0
    story = open(os.path.join(data, "tinystories/valid.txt"), encoding="utf-8").read()
    # Outside strings of two scripts most of these vocabularies know nothing but bytes, so stories come along.
    texts = [t for t in all_texts(n_strings, False) if "\0" not in t] + story.split("\n")[:2000]
    texts += [t.replace(" ", "  ") + " <sep> on once  <ctl>" for t in story.split("\n")[2000:2200]]
    failures = 0
    for name, path in sentencepiece_models(sentencepiece, data, folder):
        if only in name:
            processor = sentencepiece.SentencePieceProcessor(model_file=path)
            failures += report(name, texts, [processor.encode(t) for t in texts], ours(tool, path, texts, 0))
    return failures


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser()
    parser.add_argument("--tool", required=True)
    data = os.environ.get("BITNET_TEST_DATA") or os.path.join(here, "../../../shared/data")
    parser.add_argument("--data", default=data)
    parser.add_argument("--strings", type=int, default=10000)
    parser.add_argument("--everything", action="store_true", help="every code point in every case")
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    llama3 = os.path.join(args.data, "tokenizer/llama3/tokenizer.json")
    if not os.path.exists(llama3):
        print("SKIPPED: no test data in %s (set BITNET_TEST_DATA)" % args.data, file=sys.stderr)
        sys.exit(77)
    failures = 0
    if args.only in "llama3":
        failures += compare_json("llama3", llama3, args.tool, args.strings, True)
    with tempfile.TemporaryDirectory() as folder:
        for make in (byte_level_cases, sentencepiece_cases):
            for name, content in make(args.data):
                if args.only not in name:
                    continue
                path = os.path.join(folder, "tokenizer.json")
                with open(path, "w", encoding="utf-8") as file:
                    json.dump(content, file)
                failures += compare_json(name, path, args.tool, args.strings, args.everything)
        if args.only == "" or args.only.startswith("sp"):
            failures += compare_sentencepiece(args.tool, args.data, folder, args.strings, args.only)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
