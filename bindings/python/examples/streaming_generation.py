"""Streaming generation: the text as it is written, piece by piece.

    python streaming_generation.py MODEL.gguf [PROMPT]
"""

import sys

import bitnet


def main(path: str, prompt: str = "Tell me about Rust:") -> None:
    with bitnet.Model(path) as model, model.context() as context:
        for piece in context.stream(prompt):
            print(piece, end="", flush=True)
        print()


if __name__ == "__main__":
    try:
        main(*sys.argv[1:3])
    except bitnet.BitnetError as error:
        sys.exit(error.user_message)
