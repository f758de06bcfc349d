# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the tests of container formats share. Sourced after lib.sh.

# fill FILE BYTES [SEED]: a sparse disk of that size with data here and there: the first and the
# last sectors, runs that compress and runs that do not, and holes in between.
fill() {
	python3 - "$@" <<'PY'
import random, sys
path, size = sys.argv[1], int(sys.argv[2])
rng = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
with open(path, "wb") as f:
    f.truncate(size)
    def put(off, data):
        data = data[:max(0, size - off)]
        if data:
            f.seek(off)
            f.write(data)
    put(0, b"first sector".ljust(512, b"\x01"))
    put(max(0, size - 700), rng.randbytes(700))
    for _ in range(24):
        off = rng.randrange(size) & ~511
        n = rng.choice((512, 4096, 70000, 300000))
        put(off, rng.randbytes(n) if rng.random() < .5 else (b"%016x" % off) * (n // 16))
PY
}

# same_disk IMAGE RAW [OPTION...]: the disk that platter makes of IMAGE is RAW, byte for byte, read
# from the front, in pieces that fit no cluster from the back, and from amid holes into data.
same_disk() {
	local image=$1 raw=$2

	shift 2
	mkdir -p "$tmp/same_disk"
	attach "$@" "$image" "$tmp/same_disk"
	python3 - "$tmp/same_disk/disk" "$raw" <<'PY' || fail "$image: not what $raw is"
import os, sys
got, want = (os.open(p, os.O_RDONLY) for p in sys.argv[1:3])
size = os.fstat(got).st_size
if size != os.fstat(want).st_size:
    sys.exit(f"{size} bytes, expected {os.fstat(want).st_size}")
def compare(off, n):
    a, b = os.pread(got, n, off), os.pread(want, n, off)
    if a != b:
        at = next((i for i in range(min(len(a), len(b))) if a[i] != b[i]), min(len(a), len(b)))
        sys.exit(f"differ at {off + at}")
# Where both have holes there is nothing to compare: what is data in one is.
def data(fd):
    off = 0
    while off < size:
        try:
            start = os.lseek(fd, off, os.SEEK_DATA)
        except OSError:
            return
        off = os.lseek(fd, start, os.SEEK_HOLE)
        yield start, off
for fd in (got, want):
    for start, end in data(fd):
        for off in range(start, end, 1 << 20):
            compare(off, min(1 << 20, end - off))
# What was read once is the kernel's: that would not be asked for again.
os.posix_fadvise(got, 0, 0, os.POSIX_FADV_DONTNEED)
os.posix_fadvise(got, 0, 0, os.POSIX_FADV_RANDOM)
for start, end in reversed(list(data(want))[-64:]):
    for off in range(end - 1, max(start, end - 200000), -13331):
        compare(max(0, off - 13330), 13331)
    for n in range(3000, 70000, 4096):
        compare(max(0, start - n), n + 5000)
PY
	detach "$tmp/same_disk"
}

# refuses IMAGE TEXT [OPTION...]: it cannot be used (32), and the one line on stderr says TEXT.
refuses() {
	local image=$1 text=$2

	shift 2
	expect 32 "$PLATTER" info "$@" "$image"
	[ "$(wc -l <"$tmp/err")" = 1 ] || fail "$image: more than one line"
	grep -qF -e "$text" "$tmp/err" || fail "$image: does not say '$text'"
}

# hostile FORMAT IMAGE [MUTATIONS]: cut at every length and damaged in many places, IMAGE hurts
# nobody. It should be small (a few hundred KiB at most).
hostile() {
	"$builddir/tests/hostile-format" cut "$1" "$2" >"$tmp/out" 2>"$tmp/err" ||
		fail "$2, cut"
	"$builddir/tests/hostile-format" mutate "$1" "$2" 1 "${3:-3000}" >"$tmp/out" 2>"$tmp/err" ||
		fail "$2, damaged"
}

# unreadable FORMAT IMAGE...: each read that opening IMAGE takes may fail, which is then why it is
# refused.
unreadable() {
	"$builddir/tests/hostile-format" unread "$@" >"$tmp/out" 2>"$tmp/err" || fail "$*, unreadable"
}

# requires_library IMAGE: this build has what unpacks IMAGE; one that has not must say so, and name
# the package.
requires_library() {
	"$PLATTER" info "$1" >"$tmp/out" 2>"$tmp/err" && return
	! grep -q 'needs lib[a-z0-9]*, which this build lacks (Debian: lib' "$tmp/err" ||
		skip "needs a library that this build lacks"
}

# same_backwards IMAGE RAW: read once, the last piece first, so that nothing is there from the piece
# before.
same_backwards() {
	mkdir -p "$tmp/same_backwards"
	attach "$1" "$tmp/same_backwards"
	python3 - "$tmp/same_backwards/disk" "$2" <<'PY' || fail "$1: backwards, not what $2 is"
import os, sys
got, want = (os.open(p, os.O_RDONLY) for p in sys.argv[1:3])
os.posix_fadvise(got, 0, 0, os.POSIX_FADV_RANDOM)
size = os.fstat(want).st_size
if os.fstat(got).st_size != size:
    sys.exit("another size")
for off in range((size - 1) // 300000 * 300000, -1, -300000):
    if os.pread(got, 300000, off) != os.pread(want, 300000, off):
        sys.exit(f"differ at {off} or behind")
PY
	detach "$tmp/same_backwards"
}
