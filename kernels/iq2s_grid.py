#!/usr/bin/env python3
"""Writes iq2s_grid_data.inc, the 1024 groups of eight magnitudes of IQ2_S, from the table of the `gguf` package:
    python3 iq2s_grid.py > iq2s_grid_data.inc
Each entry has two bits a magnitude, the first lowest: 0, 1, 2 for 8, 25, 43.
"""
from gguf.quants import IQ2_S

IQ2_S.init_grid()
magnitudes = {8: 0, 25: 1, 43: 2}
rows = IQ2_S.grid.reshape(1024, 8).astype(int)
entries = [f"0x{sum(magnitudes[m] << 2 * i for i, m in enumerate(row)):04x}" for row in rows]
print("// Written by iq2s_grid.py: two bits for each of eight magnitudes.")
for at in range(0, len(entries), 16):
    print(", ".join(entries[at : at + 16]) + ",")
