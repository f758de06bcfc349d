#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A write with O_DSYNC or O_SYNC is durable when it returns: two fdatasync where it allocates a
# block, one where it overwrites; fsync is the same, and does nothing when nothing was written.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires_strace

truncate -s 300M disk.img
cat >count.py <<'END'
import os, sys, time
node, calls, begin = sys.argv[1], sys.argv[2], float(sys.argv[3])
M, bad = 1 << 20, 0

def count():
    return sum("fdatasync(" in line for line in open(calls))

def expect(what, want, call):
    global bad
    before = count()
    call()
    got = count() - before
    if got != want:
        print("%s: %d fdatasync, expected %d" % (what, got, want), file=sys.stderr)
        bad = 1

for flag, at in (os.O_DSYNC, 0), (os.O_SYNC, 64 * M):
    f = os.open(node, os.O_RDWR | flag)
    expect("a new block", 2, lambda: os.pwrite(f, b"a" * 4096, at))
    expect("overwriting it", 1, lambda: os.pwrite(f, b"b" * 4096, at))
    expect("overwriting a part", 1, lambda: os.pwrite(f, b"c" * 100, at + 50))
    expect("a part of a new block", 2, lambda: os.pwrite(f, b"d" * 100, at + M))
    os.close(f)

f = os.open(node, os.O_RDWR)
expect("a plain write", 0, lambda: os.pwrite(f, b"e" * 4096, 2 * M))
expect("a plain write elsewhere", 0, lambda: os.pwrite(f, b"e" * 100000, 200 * M))
expect("fsync of both", 2, lambda: os.fsync(f))
expect("fsync of nothing", 0, lambda: os.fsync(f))
os.pwrite(f, b"f" * 4096, 2 * M)
expect("fdatasync of an overwrite", 1, lambda: os.fdatasync(f))
expect("reading", 0, lambda: os.pread(f, 5 * M, 0))
os.pwrite(f, b"g", 3 * M)
# The last descriptor of a writer: the close may return before the daemon has it.
before = count()
os.close(f)
end = time.time() + 1
while count() < before + 2 and time.time() < end:
    time.sleep(0.01)
if count() != before + 2:
    print("closing the last writer: %d fdatasync" % (count() - before), file=sys.stderr)
    bad = 1
# The flush every five seconds counts too.
sys.exit(75 if bad and time.time() > begin + 4.9 else bad)
END
for try in 1 2 3 4 5; do
	begin=$(date +%s)
	attach disk.img mnt --overlay=changes$try
	trace_daemon mnt -e trace=fdatasync
	python3 count.py mnt/disk calls "$begin" 2>log
	status=$?
	detach mnt
	wait
	[ "$status" = 75 ] || break
done
[ "$status" != 75 ] || skip "needs a machine that does this in less than five seconds: $(cat log)"
[ "$status" = 0 ] || fail "$(cat log)"
