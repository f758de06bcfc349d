#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The image is cut, rewritten, touched or replaced while it is attached with an overlay. What only
# the image held is EIO, never zeros and, from the next flush on, never other data; what is in the
# overlay is read, written and flushed as before. A touch, or another file of the image's name,
# changes nothing.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires python3

head -c 8M /dev/urandom >original
cat >use.py <<'END'
import errno, os, sys
M = 1 << 20
node, what = os.open("mnt/disk", os.O_RDWR), sys.argv[1]
old = open("original", "rb").read()
mine = b"mine" * 3000

def eio(call, *args):
    try:
        got = call(*args)
    except OSError as e:
        assert e.errno == errno.EIO, e
    else:
        raise AssertionError("%s: no error: %r" % (what, got if got is None else got[:16]))

def read(at, n=4096):
    return os.pread(node, n, at)

os.pwrite(node, mine, 5 * M + 100)
if what == "cut":
    os.truncate("disk.img", 3 * M + 100)
    for at in 3 * M, 3 * M + 4096, 4 * M, 8 * M - 4096:
        eio(read, at)
    eio(read, 3 * M - 4096, 8192)
    eio(read, 5 * M, 4 * M)
    eio(os.pwrite, node, b"part of a block", 6 * M + 7)
    eio(os.lseek, node, 6 * M, os.SEEK_DATA)
    # Before anybody looked at the image again, and it may not have been changed there.
    assert read(2 * M) == old[2 * M:2 * M + 4096]
elif what == "cut and grown":
    os.truncate("disk.img", 3 * M)
    os.truncate("disk.img", 8 * M)
elif what == "rewritten":
    with open("disk.img", "r+b") as f:
        f.write(os.urandom(8 * M))
elif what == "touched":
    os.utime("disk.img")
elif what == "replaced":
    with open("other", "wb") as f:
        f.write(os.urandom(7 * M))
    os.rename("other", "disk.img")
elif what == "removed":
    os.unlink("disk.img")
os.pwrite(node, mine, 1 * M + 100)  # takes the rest of the block from the image
os.fsync(node)
lost = what in ("cut", "cut and grown", "rewritten")
for at in 0, 2 * M, 6 * M, 8 * M - 4096:
    if lost:
        eio(read, at)
        eio(os.pwrite, node, b"part of a block", at + 5)
    else:
        assert read(at) == old[at:at + 4096]
if lost:
    eio(read, 5 * M - 4096, 65536)
# What the overlay has goes on.
assert read(5 * M + 100, len(mine)) == read(1 * M + 100, len(mine)) == mine
os.pwrite(node, b"more", 5 * M + 200)
os.pwrite(node, b"whole" * 4096, 7 * M)
os.fsync(node)
assert read(5 * M + 200, 4) == b"more" and read(7 * M, 5) == b"whole"
os.close(node)
END
cat >look.py <<'END'
M, disk, old = 1 << 20, open("mnt/disk", "rb").read(), open("original", "rb").read()
mine = b"mine" * 3000
want = {5 * M + 100: mine, 1 * M + 100: mine, 7 * M: b"whole" * 4096, 5 * M + 200: b"more"}
new = bytearray(old)
for at, data in want.items():
    new[at:at + len(data)] = data
# The rest of the block that a change of the image got into.
assert all(disk[at:at + len(data)] == new[at:at + len(data)] for at, data in want.items())
assert disk[:M] == new[:M] and disk[2 * M:7 * M] == new[2 * M:7 * M], "the rest"
END
for what in cut 'cut and grown' rewritten touched replaced removed; do
	rm -f changes
	cp original disk.img
	attach disk.img mnt --overlay=changes
	python3 use.py "$what" || fail "$what: see above"
	detach mnt
	same "$what: what umount said" "$(cat err)" ""
	expect 0 "$PLATTER" status --json changes
	same "$what: closed" "$(json out 'j["clean"]')" True
	case $what in
	touched) ;;
	*)
		expect 32 "$PLATTER" attach disk.img mnt --overlay=changes
		same "$what: lines that say why it does not fit" "$(wc -l <err)" 1
		cp original disk.img
		;;
	esac
	attach -o ro disk.img mnt --overlay=changes
	python3 look.py || fail "$what: not all is there the next time"
	detach mnt
done
