#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A limit on file sizes (ulimit -f) is ENOSPC at the write that meets it, not a signal that ends the
# daemon: what lies below the limit can be written, and nothing fsynced is lost.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires prlimit

truncate -s 64M disk.img
# Not even an empty one can be made; nothing is left.
expect 32 prlimit --fsize=1048576 "$PLATTER" attach disk.img mnt --overlay=changes
same "lines on stderr" "$(wc -l <err)" 1
same "what is left" "$(find . -name 'changes*')" ""

# 20 MiB, of which the data has all but the first.
attach disk.img mnt --overlay=changes
expect 0 prlimit --fsize=20971520 --pid "$(daemon_of mnt)"
python3 - mnt/disk <<'END' || fail "at the limit"
import errno, os, sys
M = 1 << 20
f = os.open(sys.argv[1], os.O_RDWR)
def full(at, n):
    try:
        got = os.pwrite(f, b"x" * n, at)
    except OSError as e:
        assert e.errno == errno.ENOSPC, e
    else:
        raise AssertionError("%d bytes written at %d" % (got, at))
assert os.pwrite(f, b"below" * 1000, 3 * M) == 5000
os.fsync(f)
full(40 * M, 4096)
full(19 * M, 4096)
full(19 * M - 100, 200)
assert os.pwrite(f, b"last" * 1024, 19 * M - 4096) == 4096
full(60 * M + 1, 10)
os.fsync(f)
assert os.pwrite(f, b"again", 3 * M) == 5
assert os.pread(f, 10, 3 * M) == b"againbelow"
assert os.pread(f, 10, 40 * M) == bytes(10)
END
kill -0 "$(daemon_of mnt)" || fail "the daemon is gone"
detach mnt
attach disk.img mnt --overlay=changes
same "kept" "$(peek mnt/disk $((3 << 20)) 10)" againbelow
same "kept at the limit" "$(peek mnt/disk $(((19 << 20) - 4)) 8 | tr '\0' .)" last....
poke mnt/disk 40M works || fail "without the limit"
detach mnt
