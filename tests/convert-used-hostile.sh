#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Filesystems damaged in many places do not hurt convert --used: it copies in bounded time and memory,
# and what it writes holds nothing that was not there.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires mke2fs mkfs.fat mkntfs

truncate -s 3M ext
expect 0 mke2fs -q -F -t ext4 -b 1024 -g 1024 -O ^metadata_csum,uninit_bg,meta_bg,^resize_inode ext
truncate -s 3M ext2
expect 0 mke2fs -q -F -t ext2 -b 1024 ext2
truncate -s 2M fat
expect 0 mkfs.fat -F 12 fat
truncate -s 4M fat32
expect 0 mkfs.fat -F 32 -s 1 fat32
truncate -s 3M ntfs
expect 0 mkntfs -Q -F -q -c 4096 ntfs

nm -D "$PLATTER" 2>/dev/null | grep -q __asan_init || ulimit -v 1000000
python3 - "$PLATTER" ext ext2 fat fat32 ntfs <<'PY' || fail "see above"
import os, random, subprocess, sys
rng = random.Random(4)
for name in sys.argv[2:]:
    good = open(name, "rb").read()
    if name == "ntfs":
        mft = int.from_bytes(good[48:56], "little") * 4096
        places = [(0, 80)] * 2 + [(mft, 8192)] * 6
    elif name.startswith("fat"):
        places = [(0, 90)] * 4 + [(512, 70000)]
    else:
        places = [(1024, 400)] * 4 + [(2048, 4096)] * 2
    for turn in range(20):
        bad = bytearray(good)
        for _ in range(rng.choice((1, 1, 2, 4))):
            start, length = rng.choice(places)
            at = start + rng.randrange(length)
            n = rng.choice((1, 1, 2, 4, 8))
            bad[at:at + n] = rng.choice((bytes(n), b"\xff" * n, rng.randbytes(n), b"\x80".rjust(n, b"\0")))
        open("bad.img", "wb").write(bad)
        if os.path.exists("copy.img"):
            os.remove("copy.img")
        try:
            p = subprocess.run([sys.argv[1], "convert", "--used", "bad.img", "copy.img"],
                               capture_output=True, timeout=20)
        except subprocess.TimeoutExpired:
            sys.exit(f"{name}, turn {turn}: does not end")
        if p.returncode != 0:
            sys.exit(f"{name}, turn {turn}: status {p.returncode}: {p.stderr.decode()}")
        copy = open("copy.img", "rb").read()
        if len(copy) != len(bad):
            sys.exit(f"{name}, turn {turn}: {len(copy)} bytes")
        for off in range(0, len(bad), 4096):
            a, b = copy[off:off + 4096], bad[off:off + 4096]
            if a != b and any(x and x != y for x, y in zip(a, b)):
                sys.exit(f"{name}, turn {turn}: other bytes at {off}")
PY
