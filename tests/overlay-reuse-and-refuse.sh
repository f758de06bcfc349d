#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An overlay belongs to its image: another size or other contents are refused with exit 32 and
# leave the overlay as it is; an image that was moved, copied or touched is the same image.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse

head -c 5M /dev/urandom >disk.img
truncate -s 48M disk.img
attach disk.img mnt --overlay=changes
poke mnt/disk 30M mine || fail "writing"
detach mnt
sum=$(sha256 changes)

mine() { # IMAGE [OVERLAY]: the change is there
	attach "$1" mnt --overlay="${2:-changes}"
	same "the change over $1" "$(peek mnt/disk 30M 4)" mine
	detach mnt
}
refused() { # IMAGE TEXT
	expect 32 "$PLATTER" attach "$1" mnt --overlay=changes
	grep -q "^platter: .*changes.*$2" err || fail "the message does not say '$2'"
	same "lines on stderr" "$(wc -l <err)" 1
	expect 32 "$PLATTER" info --overlay=changes "$1"
	same "the overlay" "$(sha256 changes)" "$sum"
}

cp --sparse=always disk.img other.img
truncate -s 49M other.img
refused other.img "$((48 * 1048576)) bytes.*$((49 * 1048576))"
truncate -s 47M other.img
refused other.img "$((48 * 1048576)) bytes.*$((47 * 1048576))"

# Contents: a byte at the beginning, one at the end, all in between.
for at in 100 $((48 * 1048576 - 1)); do
	cp --sparse=always disk.img other.img
	printf '\377\376' | poke other.img $at
	truncate -s 48M other.img
	refused other.img 'contents'
done
cp --sparse=always disk.img other.img
head -c 46M /dev/urandom | poke other.img 1M
refused other.img 'contents'
# The image itself, changed in place.
cp --sparse=always disk.img kept.img
poke disk.img 100 changed
refused disk.img 'contents'
mv kept.img disk.img

# The same contents: in another file, with other times, under another name.
cp --sparse=always disk.img copy.img
mine copy.img
mine disk.img
touch -d '2020-02-02' disk.img
mine disk.img
mkdir elsewhere
mv disk.img elsewhere/renamed.img
mine elsewhere/renamed.img
expect 0 "$PLATTER" status --json changes
same "the image in status" "$(json out 'j["image"]')" "$tmp/elsewhere/renamed.img"

# The overlay may move too.
mv changes elsewhere/
mine elsewhere/renamed.img elsewhere/changes
