#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Reads and writes of the overlay and of the image that transfer only a part each time, or are
# interrupted: everything arrives, at the next attach as well.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires python3 gcc

gcc -shared -fPIC -O1 -o shim.so "$srcdir/tests/fault-shim.c" -ldl 2>err || fail "the shim"
export ASAN_OPTIONS=$ASAN_OPTIONS:verify_asan_link_order=0
cat >short.py <<'END'
import os, random
from overlay_oracle import *

make_disk("disk.img")
o, rng = Oracle("disk.img"), random.Random(3)
short = {**os.environ, "LD_PRELOAD": os.path.abspath("shim.so"), "FAULT_SHORT": "1"}
for round in range(3):
    r = platter("attach", "disk.img", "mnt", "--overlay=changes", env=short)
    assert r.returncode == 0 and not r.stderr, r
    with open("mnt/disk", "r+b", buffering=0) as f:
        for _ in range(200):
            o.step(f.fileno(), rng)
    o.check("mnt/disk", "while it is attached", False)
    r = platter("umount", "mnt")
    assert r.returncode == 0 and not r.stderr, r
    attach("mnt", "-o", "ro")
    o.check("mnt/disk", "attached again", False)
    assert platter("umount", "mnt").returncode == 0
END
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$srcdir/tests python3 short.py || fail "see above"
