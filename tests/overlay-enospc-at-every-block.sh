#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The host's disk becomes full at every possible block: the write or discard that needs room says
# ENOSPC and no fsync does; what has its room can be written; nothing that was acknowledged is lost
# by a later kill -9 and attach, which need no room; with room again, writing goes on. Without room
# for a new overlay attach is refused, and nothing is left.
#
# On tmpfs, and with loop devices on ext4 with blocks of 4 and 1 KiB, and xfs. BLOCKS=300 in the
# environment tries each of the first 300 numbers of free blocks, else there is a sample.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires_root
requires python3

cat >sweep.py <<'END'
import errno, os, random, signal, sys
from overlay_oracle import *

what, blocks, every = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
overlay, balloon = "host/changes", "host/balloon"


def free():
    st = os.statvfs("host")
    return st.f_bavail * st.f_frsize


def inflate(leave):
    """Fill the host with a file until so many bytes are free, or a little less."""
    subprocess.run(["sync", "-f", "host"], check=True)
    with open(balloon, "wb") as f:
        size = 0
        while free() > leave:
            length = free() - leave
            try:
                os.posix_fallocate(f.fileno(), size, length)
            except OSError:  # the system keeps some back for itself
                if length < 65536:
                    break
                leave = leave + length // 2
            size = os.fstat(f.fileno()).st_size
        os.fsync(f.fileno())


def full(call, *args):
    """Whether the call, if it is no fsync, ended with ENOSPC."""
    try:
        call(*args)
    except FsyncFailed:
        raise
    except OSError as e:
        assert e.errno == errno.ENOSPC, e
        return True
    return False


def make_room(o, fd, rng):
    os.truncate(balloon, 0)
    subprocess.run(["sync", "-f", "host"], check=True)
    for _ in range(10):
        o.step(fd, rng)
    o.fsync(fd)


def point(leave):
    """Whether it became full."""
    o, rng = Oracle("disk.img"), random.Random(leave)
    inflate(leave)
    r = platter("attach", "disk.img", "mnt", "--overlay=" + overlay)
    if r.returncode:
        assert r.returncode == 32 and "No space" in r.stderr and r.stderr.count("\n") == 1, r
        assert set(os.listdir("host")) <= {"balloon", "lost+found"} and not os.path.exists("mnt"), os.listdir("host")
        return True
    daemon, supervisor = processes("mnt")
    fd = os.open("mnt/disk", os.O_RDWR)
    spot = not full(o.write, fd, SPOT[0], rng.randbytes(SPOT[1]))
    met = 0
    for _ in range(90):
        met += full(o.step, fd, rng)
    o.fsync(fd)
    if spot:
        o.write(fd, SPOT[0], rng.randbytes(SPOT[1]))
        o.fsync(fd)
    if leave % 8192:  # room comes back to this process, or to the next one
        make_room(o, fd, rng)
    os.kill(supervisor, signal.SIGKILL)
    os.kill(daemon, signal.SIGKILL)
    try:
        os.close(fd)
    except OSError:
        pass
    wait_until(lambda: ended(daemon) and ended(supervisor))
    clear_away("mnt")
    attach("mnt", overlay=overlay)
    o.check("mnt/disk", "after the kill", False)
    fd = os.open("mnt/disk", os.O_RDWR)
    make_room(o, fd, rng)
    os.close(fd)
    r = platter("umount", "mnt")
    assert r.returncode == 0 and not r.stderr, r
    attach("mnt", "-o", "ro", overlay=overlay)
    o.check("mnt/disk", "with room again", False)
    assert platter("umount", "mnt").returncode == 0
    o.close()
    return met > 0


tried = met = 0
for n in range(random.randrange(every), blocks, every):
    try:
        met += point(n * 4096)
    except BaseException:
        print("%s, %d blocks free:" % (what, n), file=sys.stderr)
        raise
    tried += 1
    for name in (overlay, balloon):
        if os.path.exists(name):
            os.unlink(name)
print("%s: %d points, full in %d" % (what, tried, met))
assert met >= tried / 3, "the disk was hardly ever full"
END
cat >make_disk.py <<'END'
from overlay_oracle import *
make_disk("disk.img")
END
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$srcdir/tests
python3 make_disk.py || fail "making the image"
mkdir host

# sweep WHAT DIVISOR: on what is mounted on host, with a DIVISORth of the points.
sweep() {
	local every=$2
	[ -z "${BLOCKS:-}" ] || every=1
	python3 sweep.py "$1" "${BLOCKS:-300}" "$every" || fail "on $1: see above"
	expect 0 umount host
}

expect 0 mount -t tmpfs -o size=16m none host
sweep tmpfs 30
losetup -f >/dev/null 2>&1 || exit 0
for size in 4096 1024; do
	command -v mkfs.ext4 >/dev/null && grep -qw ext4 /proc/filesystems || break
	truncate -s 64M host.img
	expect 0 mkfs.ext4 -q -F -m 0 -b $size host.img
	expect 0 mount -t ext4 -o loop host.img host
	sweep "ext4 of $size" 15
done
rm -f host.img
if command -v mkfs.xfs >/dev/null && grep -qw xfs /proc/filesystems; then
	truncate -s 320M host.img
	expect 0 mkfs.xfs -q -f host.img
	expect 0 mount -t xfs -o loop host.img host
	sweep xfs 30
fi
