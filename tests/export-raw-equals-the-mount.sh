#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A raw export is what the mount shows, byte for byte and of the same size; zeros take no room in it,
# whoever wrote them; image and overlay stay as they are.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires fallocate

M=1048576
# A size that is no multiple of anything: data, zeros that take room, a hole, data at the end.
{ head -c 5M /dev/urandom; head -c 3M /dev/zero; } >disk.img
truncate -s $((40 * M + 777)) disk.img
head -c 9999 /dev/urandom | poke disk.img $((40 * M + 777 - 9999))

attach disk.img mnt --overlay=changes
head -c 100001 /dev/urandom | poke mnt/disk 12345678  # into the hole
head -c 70000 /dev/urandom | poke mnt/disk $((5 * M - 3)) # over the end of the data
head -c 2M /dev/zero | poke mnt/disk $((20 * M + 5))  # zeros, as data
expect 0 fallocate -p -o $M -l $((2 * M + 100)) mnt/disk
poke mnt/disk $((40 * M + 776)) x
poke mnt/disk 511 y
poke mnt/disk $((30 * M - 1)) z
detach mnt

attach -o ro disk.img mnt --overlay=changes
cat mnt/disk >want
detach mnt
before="$(sha256 disk.img) $(sha256 changes)"

(umask 027 && expect 0 "$PLATTER" export changes copy) || exit 1
same "output" "$(cat out err)" ""
same "size" "$(stat -c %s copy)" $((40 * M + 777))
same_bytes want copy
same "mode" "$(stat -c %a copy)" 640
same "image and overlay" "$(sha256 disk.img) $(sha256 changes)" "$before"
# 3 MiB of the image's data are left, and some 200 KB were written; a little for whole blocks.
room=$(($(stat -c '%b * %B' copy)))
[ $room -lt $((3 * M + M / 2)) ] || fail "the copy takes $room bytes"

expect 0 "$PLATTER" export --format raw changes again
same_bytes copy again
expect 0 "$PLATTER" export -q --format=raw --base disk.img changes third
same_bytes copy third

# The image is elsewhere, and the overlay does not know where.
mkdir elsewhere to
mv disk.img elsewhere
expect 32 "$PLATTER" export changes to/copy
expect 0 "$PLATTER" export --base elsewhere/disk.img changes to/copy
same_bytes want to/copy

# One byte, and a disk that nothing was written to.
printf Q >one
attach one mnt --overlay=nothing
detach mnt
expect 0 "$PLATTER" export nothing small
same_bytes one small
same "files" "$(echo to/* ./*copy*)" "to/copy ./copy"
