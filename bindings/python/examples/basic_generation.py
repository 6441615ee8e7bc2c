"""Basic text generation: one call that returns the whole text.

    python basic_generation.py MODEL.gguf [PROMPT]

Every run tells something else; BITNET_SEED=42 in the environment makes it repeat itself.
"""

import sys

import bitnet


def main(path: str, prompt: str = "The future of AI is") -> None:
    with bitnet.Model(path) as model, model.context() as context:
        result = context.generate(prompt, max_new_tokens=50, temperature=0.8)
        print(f"Generated: {result}")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:3])
    except bitnet.BitnetError as error:
        sys.exit(error.user_message)
