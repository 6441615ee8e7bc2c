"""Device selection: what can compute here, and a model on the device of your choice.

    python device_selection.py MODEL.gguf [DEVICE] [PROMPT]

DEVICE is "auto" (the default), "cpu", "cuda", "cuda:1", ... A device that cannot be used is an error with its reason, never
another device in silence.
"""

import sys

import bitnet


def main(path: str, device: str = "auto", prompt: str = "Hello") -> None:
    bitnet.check_device(device)
    with bitnet.Model(path, device=device) as model, model.context() as context:
        for name in bitnet.devices():
            memory = bitnet.device_memory(name)
            print(f"{name}: {memory.free >> 20} of {memory.total >> 20} MiB free")
        result = context.generate(prompt)
        print(f"{result.device}: {result}")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:4])
    except bitnet.BitnetError as error:
        sys.exit(error.user_message)
