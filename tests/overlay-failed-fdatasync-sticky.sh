#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# After an fdatasync has failed nothing that was not flushed before is promised, and nothing more is
# taken: every later write and fsync is EIO, umount says so and fails. What was flushed before is
# there at the next attach, which works.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires_strace

truncate -s 16M disk.img
sum=$(sha256 disk.img)
attach disk.img mnt --overlay=changes
python3 - mnt/disk <<'END' || fail "the first writes"
import os, sys
f = os.open(sys.argv[1], os.O_RDWR)
os.pwrite(f, b"kept" * 3000, 5 << 20)
os.fsync(f)
END
trace_daemon mnt -e trace=fdatasync -e inject=fdatasync:error=EIO
python3 - mnt/disk <<'END' || fail "after the failure"
import errno, os, sys
f = os.open(sys.argv[1], os.O_RDWR)
def eio(what, call):
    try:
        call()
    except OSError as e:
        assert e.errno == errno.EIO, (what, e)
    else:
        raise AssertionError(what + " succeeded")
os.pwrite(f, b"lost" * 1024, 7 << 20)
os.pwrite(f, b"over" * 1024, 5 << 20)
eio("the fsync", lambda: os.fsync(f))
for n in range(3):
    eio("fsync again", lambda: os.fsync(f))
    eio("a write to a new block", lambda: os.pwrite(f, b"x" * 4096, 8 << 20))
    eio("a write to a present block", lambda: os.pwrite(f, b"x", 5 << 20))
# Reading goes on.
assert os.pread(f, 4, (5 << 20) + 8000) == b"kept"
END
same "fdatasync calls after the failure" "$(grep -c 'fdatasync(' calls)" 1
expect 2 "$PLATTER" umount mnt
grep -q '^platter: .*changes.*may be lost' err || fail "umount does not say that something is lost"
same "lines on stderr" "$(wc -l <err)" 1
same "stdout" "$(cat out)" ""
wait
not mounted "$tmp/mnt" || fail "still mounted"
expect 0 "$PLATTER" status --json changes
same "state" "$(json out 'j["clean"], j["in_use"]')" "(False, False)"

# What the system believes to be on disk, and is in its cache only, is not trusted.
strace -e trace=fdatasync,fadvise64 -o reopen "$PLATTER" attach disk.img mnt --overlay=changes ||
	fail "attaching again"
grep -A 1 'fdatasync(' reopen | grep -q 'POSIX_FADV_DONTNEED' || fail "the cache is not emptied: $(cat reopen)"
peek mnt/disk $(((5 << 20) + 4096)) 7904 | tr -d kept | cmp - /dev/null || fail "flushed data is lost"
poke mnt/disk 9M works || fail "writing again"
detach mnt
expect 0 "$PLATTER" status --json changes
same "state" "$(json out 'j["clean"]')" True
same "the image" "$(sha256 disk.img)" "$sum"
