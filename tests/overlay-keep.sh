#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# keep turns the overlay in memory of a live mount into a file while others write to it: everything
# acknowledged before and after is in the file, the memory is given back, and from then on it is an
# overlay like any other: locked, flushed, kept by the supervisor when the daemon is killed.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires fallocate python3

head -c 48M /dev/urandom >disk.img
sum=$(sha256 disk.img)
attach disk.img mnt --overlay=ram
fallocate -p -o 20M -l 9M mnt/disk || fail "punching"
cat >load.py <<'END'
import os, random, sys
M = 1 << 20
node, want, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
f = os.open(node, os.O_RDWR)
disk = bytearray(os.pread(f, 48 * M, 0))
random.seed(seed)
print("writing", flush=True)
n = 0
while not os.path.exists("stop") or n < 300:
    length = random.choice((1, 100, 4096, 5000, 130000))
    at = random.randrange(48 * M - length)
    data = random.randbytes(length)
    assert os.pwrite(f, data, at) == length
    assert os.pread(f, length, at) == data
    disk[at:at + length] = data
    n += 1
os.fsync(f)
open(want, "wb").write(disk)
END
python3 load.py mnt/disk want 1 >log &
writer=$!
wait_for 5 grep -q writing log || fail "no load"
sleep 0.3
expect 0 "$PLATTER" keep mnt kept
same "output" "$(cat out err)" ""
touch stop
wait $writer || fail "the load met an error"
same_bytes want mnt/disk
expect 0 "$PLATTER" status --json mnt
same "status" "$(json out '(j["overlay"], j["in_use"], j["fits"])')" "('$tmp/kept', True, True)"
expect 32 "$PLATTER" keep mnt again
grep -q 'no overlay in memory' err || fail "the message of a second keep"
[ ! -e again ] || fail "a second keep left a file"
daemon=$(daemon_of mnt) supervisor=$(supervisor_of mnt)
for pid in $daemon $supervisor; do
	! readlink "/proc/$pid/fd/"* | grep -q memfd || fail "process $pid still holds the memory"
done

# Killed, it is flushed by the supervisor into the file.
rm stop
(sleep 0.3; touch stop) &
python3 load.py mnt/disk want 2 >log || fail "the second load"
poke mnt/disk 1234567 "acknowledged, not fsynced"
poke want 1234567 "acknowledged, not fsynced"
kill -9 "$daemon"
wait_for 5 ended "$supervisor" || fail "the supervisor lives on"
expect 0 "$PLATTER" status --json kept
same "closed" "$(json out '(j["clean"], j["in_use"])')" "(True, False)"
expect 0 "$PLATTER" check kept
attach disk.img mnt --overlay=kept
same_bytes want mnt/disk
poke mnt/disk 7 more || fail "writing again"
detach mnt
same "the image" "$(sha256 disk.img)" "$sum"

# Kept and unmounted without anything written in between.
attach disk.img mnt --overlay=ram
poke mnt/disk 5M only
expect 0 "$PLATTER" keep mnt kept2
detach mnt
grep -q "kept in $tmp/kept2" out err || fail "umount does not say where the changes are"
expect 0 "$PLATTER" status --json kept2
same "closed" "$(json out '(j["clean"], j["blocks"])')" "(True, 1)"
