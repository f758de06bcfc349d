#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Eight processes have nodes open some thousand times and use them all: everything answers, and the
# daemon, started with few descriptors, takes none for its clients.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires python3 sfdisk

truncate -s 16M disk.img
printf '2048,16384,83\n' | sfdisk -q disk.img >/dev/null || fail sfdisk
cat >clients.py <<'END'
import os, sys
daemon, each = sys.argv[1], 900
def descriptors():
    return len(os.listdir("/proc/%s/fd" % daemon))
def client(me):
    nodes = [os.open("mnt/disk" if n % 2 else "mnt/parts/1", os.O_RDWR) for n in range(each)]
    for n, f in enumerate(nodes):
        at = me * each * 512 + n * 512 + (2 << 20) - (0 if n % 2 else 1 << 20)
        assert os.pwrite(f, b"%8d" % (me * each + n) * 64, at) == 512
    os.write(opened, b"o")
    os.read(go, 1)
    for n in range(each):
        at = me * each * 512 + n * 512 + (2 << 20) - (1 << 20 if n % 2 else 0)
        assert os.pread(nodes[n - 1], 512, at) == b"%8d" % (me * each + n) * 64, n
    os.fsync(nodes[0])
before = descriptors()
(ready, opened), (go, start) = os.pipe(), os.pipe()
for me in range(8):
    if os.fork() == 0:
        status = 1
        try:
            client(me)
            status = 0
        finally:
            os._exit(status)
os.close(opened)
for _ in range(8):
    assert os.read(ready, 1), "a client failed"
during = descriptors()
os.write(start, b"g" * 8)
assert all(os.wait()[1] == 0 for _ in range(8)), "a client failed"
print("%d opens, the daemon's descriptors: %d, before: %d" % (8 * each, during, before))
assert during <= before + 8
END
for overlay in --overlay=changes --overlay=ram; do
	(ulimit -n 40 && exec "$PLATTER" attach disk.img mnt $overlay) >out 2>err || fail "attach $overlay"
	python3 clients.py "$(daemon_of mnt)" || fail "with $overlay"
	detach mnt
done
