#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# kill -9 of the daemon with several writers at work: they all get an error, the mount is gone
# within 500 ms, and since the supervisor flushes, everything acknowledged is there at the next
# attach, without any fsync; the overlay was closed cleanly.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires sfdisk

truncate -s 64M disk.img
printf '2048,65536,83\n67584,,83\n' | sfdisk -q disk.img >/dev/null || fail sfdisk
sum=$(sha256 disk.img)
cat >writers.py <<'END'
import errno, os, random, signal, struct, sys, threading, time
mnt, daemon = sys.argv[1], int(sys.argv[2])
M = 1 << 20
acked = []
def write(me):
    node = os.open("%s/parts/%d" % (mnt, 1 + me % 2), os.O_RDWR)
    base, rnd, n = me // 2 * 4 * M, random.Random(me), 0
    mine = acked[me]
    try:
        while True:
            at = base + rnd.randrange(4 * M - 9000)
            data = struct.pack("<II", me, n) * rnd.randrange(1, 1000)
            if os.pwrite(node, data, at) == len(data):
                mine.append((at, data))
            n += 1
    except OSError as e:
        if e.errno not in (errno.ENOTCONN, errno.ECONNABORTED, errno.EIO):
            mine.append(e)
acked = [[] for _ in range(8)]
threads = [threading.Thread(target=write, args=(i,)) for i in range(8)]
for t in threads: t.start()
time.sleep(0.4)
def mounted():
    return any(line.split()[4] == mnt for line in open("/proc/self/mountinfo"))
assert mounted()
begin = time.monotonic()
os.kill(daemon, signal.SIGKILL)
while mounted() and time.monotonic() < begin + 5:
    time.sleep(0.002)
gone = time.monotonic() - begin
for t in threads: t.join(5)
free = time.monotonic() - begin
assert not any(t.is_alive() for t in threads), "a writer hangs"
# What each partition must hold: the writes of a thread in order; its last one that got an error may
# have been done in part, so its place is not known. It is the next of its random numbers.
with open("acked", "wb") as f:
    for me, mine in enumerate(acked):
        for item in mine:
            assert not isinstance(item, OSError), item
        rnd, n = random.Random(me), 0
        for at, data in mine:
            assert at == me // 2 * 4 * M + rnd.randrange(4 * M - 9000)
            rnd.randrange(1, 1000)
            f.write(struct.pack("<III", 1 + me % 2, at, len(data)) + data)
        lost = me // 2 * 4 * M + rnd.randrange(4 * M - 9000)
        f.write(struct.pack("<III", 1 + me % 2, lost, 0) + b"")
print("%d writes, mount gone after %.0f ms, writers free after %.0f ms" %
      (sum(map(len, acked)), gone * 1000, free * 1000))
assert all(acked), "a thread wrote nothing"
assert gone < 0.5, "the mount was there for %.3f s" % gone
END

attach disk.img mnt --overlay=changes
daemon=$(daemon_of mnt) supervisor=$(supervisor_of mnt)
python3 writers.py "$tmp/mnt" "$daemon" >log 2>&1 || fail "$(cat log)"
wait_for 5 ended "$daemon" "$supervisor" || fail "the supervisor lives on"
expect 0 "$PLATTER" list
! grep -q "$tmp/mnt" out || fail "list shows the dead mount: $(cat out)"
[ ! -e mnt ] || fail "the directory that platter made is left"
expect 0 "$PLATTER" status --json changes
same "closed cleanly" "$(json out 'j["clean"], j["in_use"]')" "(True, False)"

attach disk.img mnt --overlay=changes
python3 - mnt <<'END' || fail "acknowledged writes are lost ($(cat log))"
import struct, sys
want = {part: bytearray(17 << 20) for part in (1, 2)}
known = {part: bytearray(17 << 20) for part in (1, 2)}
with open("acked", "rb") as f:
    while head := f.read(12):
        part, at, n = struct.unpack("<III", head)
        want[part][at:at + n] = f.read(n)
        # The one that was not acknowledged: anything may be there.
        known[part][at:at + (n or 8000)] = (b"\1" if n else b"\0") * (n or 8000)
for part in want:
    got = open("%s/parts/%d" % (sys.argv[1], part), "rb").read(17 << 20)
    bad = [at for at in range(0, 17 << 20, 512)
           if got[at:at + 512] != want[part][at:at + 512] and
           any(known[part][i] and got[i] != want[part][i] for i in range(at, at + 512))]
    print("partition %d: %d bytes checked, %d sectors are wrong, first at %s" %
          (part, sum(known[part]), len(bad), bad and min(bad)), file=sys.stderr)
    assert not bad
END
poke mnt/disk 0 new || fail "writing goes on"
detach mnt
same "the image" "$(sha256 disk.img)" "$sum"
