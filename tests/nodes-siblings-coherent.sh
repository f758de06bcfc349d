#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# disk, parts/N and gaps/A-B overlap. With descriptors open on all of them, what several threads
# write through one, in odd sizes at odd places of the same blocks, is read through any other at
# once, and no write takes a neighbour's bytes back.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires sfdisk

head -c 24M /dev/urandom >disk.img
truncate -s 32M disk.img
sfdisk -q disk.img >/dev/null <<END || fail sfdisk
label: dos
start=2048, size=16384, type=83
start=18432, size=47104, type=5
start=20480, size=8192, type=83
END

# Every thread owns pieces of odd sizes that lie among those of the others, most blocks have bytes
# of all; a copy of the disk in memory says what each must hold.
cat >threads.py <<'END'
import os, random, sys, threading
image, mnt, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
THREADS, ROUNDS = 6, 250
disk = bytearray(open(image, "rb").read())
# name, where it begins on the disk, its size
nodes = [("disk", 0, len(disk)), ("parts/1", 1048576, 8388608), ("parts/5", 10485760, 4194304),
         ("parts/2", 9437184, 24117248), ("gaps/14680064-33554432", 14680064, 18874368)]
# Where two nodes or more overlap, and which.
zones = [(1048576, 8388608, [0, 1]), (10485760, 917504, [0, 2, 3]), (14680064, 18874368, [0, 3, 4])]
fds = [os.open("%s/%s" % (mnt, n), os.O_RDWR) for n, _, _ in nodes]
for (name, _, size), fd in zip(nodes, fds):
    assert os.fstat(fd).st_size == size, (name, size, os.fstat(fd).st_size)
errors = []

def at(node, off):
    return off - nodes[node][1]

def work(me):
    rnd = random.Random(seed * 100 + me)
    for n in range(ROUNDS):
        if errors:
            return
        start, size, of = rnd.choice(zones)
        # Pieces of 1237 bytes, dealt to the threads in turn; some writes are of more, in a strip
        # of the zone that is the thread's alone.
        if rnd.random() < 0.8:
            k = rnd.randrange(min(size, 300000) // 1237 // THREADS) * THREADS + me
            off, room = start + k * 1237, 1237
        else:
            strip = (size - 400000) // THREADS
            off, room = start + 400000 + me * strip, strip
        length = rnd.randrange(1, min(room, 200000) + 1)
        off += rnd.randrange(room - length + 1)
        data = rnd.randbytes(length)
        by = rnd.choice(of)
        if os.pwrite(fds[by], data, at(by, off)) != length:
            errors.append("a short write")
        disk[off:off + length] = data
        for through in rnd.sample(of, len(of)):
            got = os.pread(fds[through], length, at(through, off))
            if got != data:
                bad = next(i for i in range(length) if i >= len(got) or got[i] != data[i])
                errors.append("round %d: %d bytes at %d written through %s, read through %s: "
                              "byte %d differs" % (n, length, off, nodes[by][0], nodes[through][0], bad))

# Blocks that nobody wrote before, by all nodes of a zone at the same moment, each some of its bytes.
fresh, of, together = 11403264, [0, 2, 3], threading.Barrier(3)

def race(me):
    for n in range(400):
        off = fresh + ((seed - 1) * 400 + n) * 4096 + me * 1300
        data = bytes([n & 255]) * 1250
        disk[off:off + 1250] = data
        together.wait()
        os.pwrite(fds[of[me]], data, at(of[me], off))

threads = [threading.Thread(target=race, args=(i,)) for i in range(3)]
for t in threads: t.start()
for t in threads: t.join()
threads = [threading.Thread(target=work, args=(i,)) for i in range(THREADS)]
for t in threads: t.start()
for t in threads: t.join()
for (name, start, size), fd in zip(nodes, fds):
    for off in range(0, size, 1 << 20):
        n = min(1 << 20, size - off)
        if os.pread(fd, n, off) != disk[start + off:start + off + n]:
            errors.append("%s: the MiB at %d is not what was written" % (name, off))
print("\n".join(errors[:10]), file=sys.stderr)
open("want", "wb").write(disk)
sys.exit(bool(errors))
END

attach disk.img mnt --overlay=changes
python3 threads.py disk.img mnt 1 2>err || fail "with nothing in the overlay"
mv want now
python3 threads.py now mnt 2 2>err || fail "with much in the overlay"
detach mnt
attach disk.img mnt --overlay=changes
same_bytes want mnt/disk
detach mnt
