#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Reading a packed image, in order and by many readers at random, takes no more memory than the cache
# (16 MiB) and 16 MiB.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires fio qemu-img
grep -q fsanitize "$builddir/Makefile" && grep -q '^SANITIZE_CFLAGS = .*address' "$builddir/Makefile" &&
	skip "sanitizers take memory of their own"

python3 -c 'import random, sys
r = random.Random(1)
for _ in range(1 << 11):
    sys.stdout.buffer.write(r.randbytes(1 << 15) + bytes(1 << 15))' >disk.raw
qemu-img convert -f raw -O qcow2 -c disk.raw disk.qcow2 || fail "convert"
mkdir mnt
attach disk.qcow2 mnt
cat mnt/disk >/dev/null || fail "cannot be read"
expect 0 fio --name=random --filename=mnt/disk --readonly --direct=1 --rw=randread --bs=4k \
	--ioengine=psync --numjobs=16 --thread --runtime=3 --time_based --size=100%
peak=$(awk '/^VmHWM/ { print $2 }' "/proc/$(daemon_of mnt)/status")
[ "$peak" -le 32768 ] || fail "$peak KiB"
detach mnt
