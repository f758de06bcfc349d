#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# --overlay=ram keeps changes in memory until umount and leaves no file; ram:SIZE bounds it: more is
# ENOSPC, and zeroing gives room back.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires fallocate

truncate -s 64M disk.img
head -c 1M /dev/urandom | poke disk.img 0
sum=$(sha256 disk.img)
attach disk.img mnt --overlay=ram
head -c 40M /dev/urandom >bytes
poke mnt/disk 100001 <bytes || fail "writing"
expect 0 cmp -i 0:100001 -n 41943040 bytes mnt/disk
same "the overlay in list" "$(list_field mnt overlay)" ram
expect 32 "$PLATTER" status mnt
detach mnt
grep -q 'in memory and are gone' out || fail "umount does not say that the changes are gone"
same "the image" "$(sha256 disk.img)" "$sum"
same "files" "$(find . -mindepth 1 -printf '%f\n' | LC_ALL=C sort | tr '\n' ' ')" \
	"bytes disk.img err out "
attach disk.img mnt --overlay=ram
same_bytes disk.img mnt/disk
detach mnt

attach disk.img mnt --overlay=ram:2M
poke mnt/disk 10M <bytes 2>err && fail "40 MiB fit into 2 MiB"
grep -q 'No space left on device' err || fail "no ENOSPC"
python3 - mnt/disk <<'END' || fail "at the limit"
import errno, os, sys
M = 1 << 20
f = os.open(sys.argv[1], os.O_RDWR)
data = open("bytes", "rb").read(2 * M)
held = 0
while held < 2 * M and os.pread(f, 4096, 10 * M + held) == data[held:held + 4096]:
    held += 4096
assert M <= held <= 2 * M, held
try:
    os.pwrite(f, b"x" * 65536, 50 * M)
except OSError as e:
    assert e.errno == errno.ENOSPC, e
else:
    raise AssertionError("more than the limit")
os.pwrite(f, b"y" * 4096, 10 * M)  # what has its room
END
expect 0 fallocate -p -o 10M -l 2M mnt/disk
poke mnt/disk 50M room || fail "no room after zeroing"
same "after zeroing" "$(peek mnt/disk 50M 4)" room
detach mnt
for bad in ram: ram:0 ram:x; do
	expect 1 "$PLATTER" attach disk.img mnt --overlay=$bad
done
