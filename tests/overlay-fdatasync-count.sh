#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What durability costs: a random write of 4 KiB with its fsync is two fdatasync at most and 8 KiB
# and little more of writing; when many clients do so at once they share; nothing is done for
# reading, for an idle mount, or for fsyncs with nothing to flush.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires_strace
requires sfdisk

truncate -s 300M disk.img
printf '2048,204800,83\n206848,204800,83\n' | sfdisk -q disk.img >/dev/null || fail sfdisk
cat >count.py <<'END'
import os, random, re, sys, threading, time
mnt, calls = sys.argv[1:]
M, rnd = 1 << 20, random.Random(1)
nodes = [os.open("%s/%s" % (mnt, n), os.O_RDWR) for n in ("disk", "parts/1", "parts/2")]

def cost():
    """fdatasync calls and bytes written so far; strace writes a call's line before it returns."""
    text = open(calls).read()
    written = sum(map(int, re.findall(r"pwrite64.*= (\d+)$", text, re.M)))
    return len(re.findall(r"f(?:data)?sync\(", text)), written

def during(call):
    syncs, written = cost()
    call()
    return [b - a for a, b in zip((syncs, written), cost())]

def one_by_one():
    for block in rnd.sample(range(256, 299 * 256), 200):
        os.pwrite(nodes[0], rnd.randbytes(4096), block * 4096)
        os.fsync(nodes[0])

def idle():
    for node in nodes:
        os.pread(node, M, 0)
        os.fsync(node)
    time.sleep(5.5) # the flush every five seconds has come and gone

CLIENTS, ROUNDS = 32, 10

def client(me):
    mine = random.Random(me)
    node = os.dup(nodes[me % 3])
    for n in range(ROUNDS):
        os.pwrite(node, mine.randbytes(4096), (me * ROUNDS + n) * 64 * 4096)
        os.fsync(node)

def together():
    threads = [threading.Thread(target=client, args=(i,)) for i in range(CLIENTS)]
    for t in threads: t.start()
    for t in threads: t.join()

syncs, written = during(one_by_one)
print("200 writes of 4096 bytes with fsync: %d fdatasync, %.0f bytes each" % (syncs, written / 200))
assert 200 < syncs <= 400 + 2, "more than two for each" # the flush every five seconds may come
assert written <= 200 * 8.3 * 1024, "more than 8.3 KiB for each"

syncs, written = during(idle)
print("idle: %d fdatasync, %d bytes" % (syncs, written))
assert (syncs, written) == (0, 0), "an idle mount writes"

syncs, written = during(together)
print("%d writes with fsync by %d at once: %d fdatasync" % (CLIENTS * ROUNDS, CLIENTS, syncs))
assert syncs <= CLIENTS * ROUNDS * 3 // 2, "they do not share"
END
attach disk.img mnt --overlay=changes
trace_daemon mnt -e trace=fdatasync,fsync,pwrite64
python3 count.py mnt calls >log 2>&1 || fail "$(cat log)"
cat log
detach mnt
