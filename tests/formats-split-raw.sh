#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Images in segments by all the names that they have, raw or of another format once they are put
# together; never a file that only looks like one; gaps, and another than the first, are refused by name.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-formats.sh" || exit 99
requires split qemu-img
requires_fuse

fill disk.raw 3000320

# cut NAME OPTION...: into NAMEsuffix.
cut_image() {
	local name=$1 image=$2

	shift 2
	split "$@" "$image" "$name" || fail "split"
}

cut_image a. disk.raw -b 700000 -d -a 3
same_disk a.000 disk.raw
cut_image b. disk.raw -b 700000 -d -a 3 --numeric-suffixes=1
same_disk b.001 disk.raw
cut_image c. disk.raw -b 700000
[ -e c.aa ] || fail "other names than expected"
touch c.gz c.txt
same_disk c.aa disk.raw
cut_image d. disk.raw -b 100000 -a 3
same_disk d.aaa disk.raw
cut_image many. disk.raw -b 2000 -d -a 5 --numeric-suffixes=1
[ -e many.01500 ] || fail "not as many as expected"
# More than a shell allows by default, where more are allowed at all.
if [ "$(ulimit -Hn)" = unlimited ] || [ "$(ulimit -Hn)" -ge 2048 ]; then
	(ulimit -Sn 256 && same_disk many.00001 disk.raw) || exit
fi

# One segment of one byte at the end, and of all the same length.
cut_image e. disk.raw -b 3000319 -d -a 3 --numeric-suffixes=1
same_disk e.001 disk.raw
cut_image f. disk.raw -b 1500160 -d -a 3 --numeric-suffixes=1
same_disk f.001 disk.raw
expect 0 "$PLATTER" info --json f.001
same "format" "$(json out 'j["image"]["format"]')" "split-raw"

# What is put together is an image again.
qemu-img convert -O qcow2 disk.raw disk.qcow2 || fail "qemu-img"
if "$PLATTER" info --format qcow2 disk.qcow2 >/dev/null 2>&1; then
	cut_image q. disk.qcow2 -b 300000 -d -a 3 --numeric-suffixes=1
	same_disk q.001 disk.raw
	expect 0 "$PLATTER" info --json q.001
	same "format" "$(json out 'j["image"]["format"]')" "qcow2 in split-raw"
fi
if command -v ewfacquire >/dev/null; then
	ewfacquire -u -q -c deflate:fast -t w disk.raw >log 2>&1 || fail "ewfacquire"
	cut_image w. w.E01 -b 200000
	same_disk w.aa disk.raw
	expect 0 "$PLATTER" info --json w.aa
	same "format" "$(json out 'j["image"]["format"]')" "ewf in split-raw"
fi

# Alone it is no split image; nor is a name that says no number, or one of two digits.
for name in alone.001 alone.aa x.01 x.02 x.img x.1 x.1234567 .001 .002; do
	cp a.000 "$name"
	same_disk "$name" a.000
done
cp a.000 y.003
cp a.000 y.002
same_disk y.003 a.000
same_disk b.001 b.001 --format raw
same_disk b.002 b.002 --format raw
same_disk b.001 b.001 --chain=no

refuses b.003 'segment 3 of a split image, open the first one, "b.001"'
refuses c.ac 'segment 3 of a split image, open the first one, "c.aa"'
rm b.003
refuses b.001 'segment "b.003" is not there, but "b.004" is'
rm b.002 b.004
refuses b.001 'segment "b.002" is not there, but "b.005" is'
rm c.ab
refuses c.aa 'segment "c.ab" is not there, but "c.ac" is'
: >a.002
refuses a.000 'segment "a.002": 0 bytes, expected at least 1'
rm a.002
ln -s a.001 a.002
refuses a.000 'segment "a.002"'
