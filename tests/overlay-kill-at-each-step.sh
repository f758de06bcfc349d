#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The daemon is killed at each step of its writes and flushes: every write that was acknowledged
# before is there at the next attach, since the supervisor finishes what the daemon had begun.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires_strace

truncate -s 300M disk.img
head -c 1M /dev/urandom | poke disk.img 200M
cat >writes.py <<'END'
import os, sys
node, acked = sys.argv[1], open(sys.argv[2], "w")
f, M = os.open(node, os.O_RDWR), 1 << 20
step = 0
try:
    for at in (5 * M, 200 * M + 77, 5 * M + 50, 290 * M - 2000):  # three pages of the map
        os.pwrite(f, b"%08d" % step * 500, at)
        print(at, step, file=acked, flush=True)
        step += 1
    os.fsync(f)
    print("fsync", file=acked, flush=True)
    os.pwrite(f, b"%08d" % step * 500, 100 * M)
    print(100 * M, step, file=acked, flush=True)
    os.fsync(f)
    print("fsync", file=acked, flush=True)
except OSError:
    pass
END
killed=0
# strace counts each thread's calls for itself.
for point in pwrite64:1 pwrite64:2 pwrite64:3 fdatasync:1 fdatasync:2 fallocate:1; do
	rm -f changes
	attach disk.img mnt --overlay=changes
	daemon=$(daemon_of mnt) supervisor=$(supervisor_of mnt)
	trace_daemon mnt -e trace="${point%:*}" \
		-e inject="${point%:*}:signal=SIGKILL:when=${point#*:}"
	python3 writes.py mnt/disk acked
	if ended "$daemon"; then
		killed=$((killed + 1))
		wait_for 5 ended "$supervisor" || fail "$point: the supervisor lives on"
		not mounted "$tmp/mnt" || fail "$point: the mount is left"
	else
		detach mnt
	fi
	wait
	expect 0 "$PLATTER" status --json changes
	same "$point: closed" "$(json out 'j["clean"]')" True
	attach -o ro disk.img mnt --overlay=changes
	python3 - acked mnt/disk disk.img <<'END' || fail "$point: an acknowledged write is lost: $(cat acked)"
import os, sys
want = {}
for line in open(sys.argv[1]):
    if line != "fsync\n":
        at, step = map(int, line.split())
        for i, byte in enumerate(b"%08d" % step * 500):
            want[at + i] = byte
got, disk = (os.open(name, os.O_RDONLY) for name in sys.argv[2:])
for block in {at & -4096 for at in want}:
    new, old = os.pread(got, 4096, block), os.pread(disk, 4096, block)
    for i in range(4096):
        # The rest is the image's, but where a write may have come that was not acknowledged.
        if block + i in want or block != 5 << 20:
            assert new[i] == want.get(block + i, old[i]), block + i
END
	detach mnt
done
[ $killed -ge 4 ] || fail "only $killed of the steps were met"
