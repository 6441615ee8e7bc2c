"""Uses bitnet_desktop as a person would, on a display of its own: desktop_test.py PATH_OF_BITNET_DESKTOP [unittest options]

Keys and clicks come from xdotool, what is on the screen from Xvfb's frame buffer, which is a file. BITNET_SCREENSHOT=FILE.png
in the environment keeps a picture to look at. Without Xvfb or xdotool the script says so and exits with 77 (skipped).
The scalar kernels make the model slow enough to be stopped in the middle of a story.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import zlib
from pathlib import Path

DESKTOP = ""
PATIENCE_S = 60  # for a machine that is busy; nothing here waits longer than it must
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("BITNET_")}
# Places in the window, as examples/desktop/story_window.cpp lays it out.
STORY, STATUS, INPUT = (14, 14, 600, 310), (12, 382, 600, 26), (14, 344, 430, 24)
TELL, STOP = (500, 355), (590, 355)


class Screen:
    """An X server without a monitor."""

    def __init__(self, folder: Path):
        self.folder = folder
        read, write = os.pipe()
        self.server = subprocess.Popen(["Xvfb", "-displayfd", str(write), "-screen", "0", "640x420x24", "-fbdir", str(folder),
                                        "-nolisten", "tcp", "-nocursor"], pass_fds=[write], stderr=subprocess.DEVNULL)
        os.close(write)
        with os.fdopen(read) as pipe:
            self.display = ":" + pipe.readline().strip()

    def close(self) -> None:
        self.server.terminate()
        self.server.wait()

    def pixels(self) -> tuple[int, int, int, bytes]:
        """Width, height, bytes per line, and the pixels, four bytes each (blue, green, red, unused)."""
        data = (self.folder / "Xvfb_screen0").read_bytes()  # the XWD format: big-endian words
        header = struct.unpack_from(">25I", data)
        start = header[0] + header[19] * 12
        return header[4], header[5], header[12], data[start:]

    def part(self, x: int, y: int, width: int, height: int) -> bytes:
        _, _, stride, pixels = self.pixels()
        return b"".join(pixels[row * stride + x * 4:row * stride + (x + width) * 4] for row in range(y, y + height))

    def save_png(self, path: Path) -> None:
        width, height, stride, pixels = self.pixels()
        lines = b""
        for row in range(height):
            line = pixels[row * stride:row * stride + width * 4]
            rgb = bytearray(width * 3)
            rgb[0::3], rgb[1::3], rgb[2::3] = line[2::4], line[1::4], line[0::4]
            lines += b"\0" + bytes(rgb)

        def chunk(kind: bytes, data: bytes) -> bytes:
            return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

        path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
                         chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b""))


class Desktop(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.screen = Screen(self.folder)
        self.addCleanup(self.screen.close)
        self.environment = {**ENVIRONMENT, "DISPLAY": self.screen.display}
        self.transcript = self.folder / "transcript.txt"

    def start(self, **variables: str) -> None:
        self.program = subprocess.Popen([DESKTOP, "--transcript", str(self.transcript)],
                                        env={**self.environment, **variables})
        self.addCleanup(self.program.wait)
        self.addCleanup(self.program.kill)
        self.xdotool("search", "--sync", "--onlyvisible", "--name", "bitnet stories", "windowmove", "0", "0")
        self.wait("the window", lambda: set(self.screen.part(*STORY)) == {0, 255})  # white, and the bytes that are not used

    def xdotool(self, *command: str) -> None:
        subprocess.run(["xdotool", *command], env=self.environment, check=True, timeout=PATIENCE_S, stdout=subprocess.DEVNULL)

    def click(self, place: tuple[int, int]) -> None:
        self.xdotool("mousemove", str(place[0]), str(place[1]), "click", "1")

    def wait(self, what: str, there) -> None:
        until = time.monotonic() + PATIENCE_S
        while not there():
            self.assertIsNone(self.program.poll(), "the program ended")
            self.assertLess(time.monotonic(), until, f"{what} did not come")
            time.sleep(0.02)

    def changes(self, place: tuple[int, int, int, int], what: str) -> None:
        before = self.screen.part(*place)
        self.wait(what, lambda: self.screen.part(*place) != before)

    def quit(self) -> str:
        """Closes the window; what the stories were."""
        self.xdotool("key", "Escape")
        self.assertEqual(self.program.wait(PATIENCE_S), 0)
        return self.transcript.read_text(encoding="utf-8")

    def test_a_story_streams_and_stops_while_the_window_answers(self):
        self.start(BITNET_KERNEL="scalar", BITNET_NUM_THREADS="1", BITNET_SEED="3")
        empty_status = self.screen.part(*STATUS)
        self.click(TELL)
        for _ in range(3):  # it grows before the eyes of the reader
            self.changes(STORY, "more of the story")
        # Somebody writes the next beginning meanwhile: the window takes it, the story goes on.
        self.click((200, 355))
        before = self.screen.part(*INPUT)
        self.xdotool("key", "End")
        self.xdotool("type", "!")
        self.wait("the letter", lambda: self.screen.part(*INPUT) != before)
        self.changes(STORY, "more of the story")
        self.assertEqual(self.screen.part(*STATUS), empty_status)
        self.click(STOP)
        self.wait("the word that it stopped", lambda: self.screen.part(*STATUS) != empty_status)
        stopped = self.screen.part(*STORY)
        if "BITNET_SCREENSHOT" in os.environ:
            self.screen.save_png(Path(os.environ["BITNET_SCREENSHOT"]))
        time.sleep(0.3)
        self.assertEqual(self.screen.part(*STORY), stopped)
        # Return in the field is as good as the button, and the context serves the next story.
        self.click((200, 355))
        self.xdotool("key", "Return")
        self.wait("another story", lambda: self.screen.part(*STORY) != stopped and self.screen.part(*STATUS) == empty_status)
        for _ in range(2):
            self.changes(STORY, "more of the next story")
        story = self.quit()  # in the middle of it
        self.assertEqual(story.count("[Stopped.]"), 1, story)
        self.assertTrue(story.startswith("Once upon a time"), story)
        self.assertIn("\n[Stopped.]\nOnce upon a time!", story)

    def test_a_story_comes_to_its_end(self):
        self.start(BITNET_SEED="7")
        self.click((200, 355))
        self.xdotool("key", "ctrl+a")
        self.xdotool("type", "The cat")
        before = self.screen.part(*STATUS)
        self.click(TELL)
        self.wait("the end", lambda: self.screen.part(*STATUS) != before)
        story = self.quit()
        self.assertTrue(story.startswith("The cat"), story)
        self.assertTrue(story.endswith("\n[The end.]\n"), story)
        self.assertGreater(len(story), 100)

    def test_failures_are_one_line(self):
        for arguments, expected in ((["-m", "no-such-model.gguf"], "no-such-model.gguf"), (["--fast"], "usage: bitnet_desktop"),
                                    (["--transcript", "/no/such/folder"], "/no/such/folder")):
            done = subprocess.run([DESKTOP, *arguments], capture_output=True, env=self.environment, timeout=PATIENCE_S, text=True,
                                  check=False)
            self.assertIn(done.returncode, (1, 2))
            self.assertEqual((done.stdout, done.stderr.count("\n")), ("", 1))
            self.assertIn(expected, done.stderr)


if __name__ == "__main__":
    missing = [tool for tool in ("Xvfb", "xdotool") if shutil.which(tool) is None]
    if missing:
        print(f"SKIPPED: no {' and no '.join(missing)} here (Debian and Ubuntu: apt-get install xvfb xdotool)")
        sys.exit(77)
    DESKTOP = sys.argv[1]
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
