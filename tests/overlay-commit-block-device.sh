#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# commit writes to a block device as well, named by --base, and refuses one that is mounted.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-life.sh" || exit 99
requires_fuse
requires_loop

truncate -s 8M backing
head -c 1M /dev/urandom | poke backing 5M
cp backing old
loop=$(losetup -f --show "$PWD/backing") || skip "needs a loop device"
change changes "$loop" 'put(5 << 20, random(10000)); zero((5 << 20) + 20000, 300000); put(8388607, b"!")'
look changes "$loop" wanted
refused "not beside it.*--base" commit --yes changes
# A claim of its own is what every mount holds.
exec 8< <(exec python3 -c 'import os, sys, time
fd = os.open(sys.argv[1], os.O_RDONLY | os.O_EXCL)
print("claimed", flush=True)
time.sleep(60)' "$loop")
claimer=$!
read -r _ <&8
refused "cannot be written to: Device or resource busy" commit --yes --base="$loop" changes
kill $claimer
wait_for 5 ended $claimer || fail "still claimed"
cmp -s backing old || fail "refused, but changed"
expect 0 "$PLATTER" commit --yes --base="$loop" --undo=undo changes
cmp "$loop" wanted || fail "the device does not have what the overlay showed"
[ ! -e changes ] || fail "the overlay is still there"
shows "the undo" undo "$loop" old
expect 0 "$PLATTER" commit --yes --base="$loop" undo
cmp "$loop" old || fail "undone, the device is not what it was"
losetup -d "$loop"
same_bytes backing old

# A loop device on an image that is a file holds what it read, and locks nothing.
truncate -s 4M plain.img
change more plain.img 'put(1 << 20, random(5000))'
loop2=$(losetup -f --show "$PWD/plain.img") || skip "needs a second loop device"
refused "loop device $loop2 is on" commit --yes more
losetup -d "$loop2"
wait_for 5 eval "! losetup $loop2 >/dev/null 2>&1"
expect 0 "$PLATTER" commit --yes more
