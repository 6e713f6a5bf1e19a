#!/usr/bin/env python3
"""Checks buckets.json against an implementation that shares no code with the package.

Run it by hand after the vectors change (they never should: another bucket moves people).
"""
import hashlib
import json
import pathlib
import sys

bad = 0
for row in json.loads((pathlib.Path(__file__).parent / "buckets.json").read_text()):
    text = bytes.fromhex(row["salt"]) + b"\0" + b"1" + b"\0" + (row["kind"] + ":" + row["unit"]).encode()
    first = int.from_bytes(hashlib.sha256(text).digest()[:4], "big")
    if first * 10000 >> 32 != row["bucket"]:
        bad += 1
        print("differs:", row)
sys.exit(bad > 0)
