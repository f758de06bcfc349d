#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# xz: all decoders together stay within their 144 MiB, also where streams were put together of which
# the first needs little memory and the others much, and many want different ones at once.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh" || exit 99
requires_fuse
requires xz
xz -q -c <"$srcdir/COPYING" >library && requires_library library
grep -q fsanitize "$builddir/Makefile" && grep -q '^SANITIZE_CFLAGS = .*address' "$builddir/Makefile" &&
	skip "sanitizers take memory of their own"

# What is unpacked has to be long for a decoder to touch its whole dictionary.
head -c 96M /dev/zero | tr '\0' x >long
xz --lzma2=preset=0,dict=96MiB -c long >long.xz
{ head -c 1000000 long | xz --lzma2=preset=0,dict=4KiB -c; for _ in 1 2 3 4 5 6; do cat long.xz; done; } >disk.xz
mkdir mnt
attach disk.xz mnt
python3 - <<'PY' || fail "wrong bytes"
import os, sys, threading
fd, size, wrong = os.open("mnt/disk", os.O_RDONLY), 96 << 20, []
os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
def reader(i):
    if os.pread(fd, 4096, 1000000 + (i + 1) * size - 4096) != b"x" * 4096:
        wrong.append(i)
threads = [threading.Thread(target=reader, args=(i,)) for i in range(6)]
for t in threads: t.start()
for t in threads: t.join()
sys.exit(f"in {wrong}" if wrong else 0)
PY
peak=$(awk '/^VmHWM/ { print $2 }' "/proc/$(daemon_of mnt)/status")
[ "$peak" -le $((184 * 1024)) ] || fail "$peak KiB"
detach mnt

# A block that takes more than there is for all is refused, wherever it stands.
{ xz -0 -c "$srcdir/COPYING"; xz --lzma2=preset=0,dict=1GiB -c "$srcdir/COPYING"; } >later.xz
refuses later.xz "takes 1024 MiB of memory, at most 144 MiB"
