#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The host's disk is full: the write that needs room says ENOSPC, no fsync does and nothing fsynced
# is lost; the daemon goes on and takes writes again when there is room.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires_root

truncate -s 300M disk.img
mkdir host
cat >fill.py <<'END'
import errno, os, random, sys
node, want, free = sys.argv[1:]
M, size = 1 << 20, 300 << 20
random.seed(5)
f = os.open(node, os.O_RDWR)
known = {}
def write(at, data):
    try:
        n = os.pwrite(f, data, at)
    except OSError as e:
        assert e.errno == errno.ENOSPC, e
        known.pop(at, None) # a part of it may have been written
        return False
    assert n == len(data)
    known[at] = data
    return True
# All over the disk, so that map pages are needed as well as data.
while write(random.randrange(size // 65536) * 65536, random.randbytes(random.choice((4096, 40960)))):
    pass
assert len(known) > 50, len(known)
os.fsync(f)
# Full is full, but what has its room can be written, and read.
full = sum(not write(at * 65536 + 49152, b"?" * 8192) for at in range(64))
assert full > 32, full
for at in list(known)[:20]:
    assert write(at, random.randbytes(len(known[at])))
os.fsync(f)
for at, data in known.items():
    assert os.pread(f, len(data), at) == data, at
if os.system(free) != 0:
    sys.exit("freeing room")
for n in range(20):
    assert write(n * 65536 + 8192, random.randbytes(4096)), n
os.fsync(f)
with open(want, "wb") as out:
    out.truncate(size)
    for at, data in known.items():
        os.pwrite(out.fileno(), data, at)
END

# full_disk HOST-COMMAND FREEING-COMMAND: with the overlay on what the first mounts on host.
full_disk() {
	expect 0 sh -c "$1"
	attach disk.img mnt --overlay=host/changes
	python3 fill.py mnt/disk want "$2" || fail "on $1"
	kill -0 "$(daemon_of mnt)" || fail "the daemon is gone"
	detach mnt
	attach disk.img mnt --overlay=host/changes
	python3 - want mnt/disk <<'END' || fail "the next time: $1"
import os, sys
want, got = (os.open(name, os.O_RDONLY) for name in sys.argv[1:])
at, end = 0, os.fstat(want).st_size
while True:
    try:
        at = os.lseek(want, at, os.SEEK_DATA)
    except OSError:
        break
    hole = os.lseek(want, at, os.SEEK_HOLE)
    assert os.pread(want, hole - at, at) == os.pread(got, hole - at, at), at
    at = hole
END
	detach mnt
	expect 0 umount host
}

full_disk 'mount -t tmpfs -o size=6m none host' 'mount -o remount,size=16m host'
if losetup -f >/dev/null 2>&1 && grep -qw ext4 /proc/filesystems; then
	truncate -s 16M host.img
	mkfs.ext4 -q -F -m 0 -O ^has_journal host.img >/dev/null 2>&1 || fail mkfs.ext4
	full_disk 'mount -t ext4 -o loop host.img host && head -c 5M /dev/zero >host/filler && sync -f host' \
		'rm host/filler && sync -f host'
fi

# No room for a new overlay: refused, and nothing is left.
expect 0 mount -t tmpfs -o size=4k none host
expect 32 "$PLATTER" attach disk.img mnt --overlay=host/changes
grep -q '^platter: .*host/changes.*No space' err || fail "the message does not say why"
same "files left" "$(ls -A host)" ""
