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

# More segments than two letters have names for: split goes on with four, unless it was told to use
# two. And hexadecimal digits, and one digit more once they are used up.
head -c 1000001 disk.raw >small.raw
cut_image g. small.raw -b 1400
[ -e g.zaaa ] || fail "other names than expected"
same_disk g.aa small.raw
refuses g.zaab 'segment 652 of a split image, open the first one, "g.aa"'
mv g.zaaa kept
refuses g.aa 'segment "g.zaaa" is not there, but "g.zaab" is'
mv kept g.zaaa
mv g.yz kept
refuses g.aa 'segment "g.yz" is not there, but "g.zaaa" is'
mv kept g.yz
touch g.za
refuses g.aa '"g.za" and "g.zaaa" are both there, and only one can be a segment'
cut_image h. small.raw -b 1500 -a 2
[ -e h.za ] || fail "other names than expected"
same_disk h.aa small.raw
cut_image i. small.raw -b 1400 -a 3
same_disk i.aaa small.raw
cut_image j. small.raw -b 400
[ -e j.zcaa ] || fail "other names than expected"
same_disk j.aa small.raw
cut_image k. small.raw -b 3000 -x -a 3
[ -e k.14d ] || fail "other names than expected"
touch k.20: k.2A0 k.14f.x
same_disk k.000 small.raw
refuses k.010 'segment 17 of a split image, open the first one, "k.000"'
mv k.00a kept
refuses k.000 'segment "k.00a" is not there, but "k.00b" is'
cut_image l. small.raw -b 60000 -a 4 --hex-suffixes=1
same_disk l.0001 small.raw
cut_image m. small.raw -b 1000 -a 5 -d --numeric-suffixes=1
for name in m.0*; do mv "$name" "m.$(printf %03d "$((10#${name#m.}))")"; done
[ -e m.1001 ] || fail "other names than expected"
same_disk m.001 small.raw
rm m.1000
refuses m.001 'segment "m.1000" is not there, but "m.1001" is'
rm -f [g-m].*

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

# Where the others cannot be looked for, one is not the disk; what is no first segment is.
unlisted() {
	ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 strace -f -qq -o strace.log \
		-e trace=getdents64 -e inject=getdents64:error=EIO "$@"
}
cp a.000 a.img
if command -v strace >/dev/null && unlisted true; then
	for name in a.000 b.001 c.aa; do
		expect 32 unlisted "$PLATTER" info $name
		grep -q "its other segments .*: folder $tmp: Input/output error" err || fail "$(cat err)"
	done
	expect 0 unlisted "$PLATTER" info a.img
	expect 0 unlisted "$PLATTER" info --format raw a.000
fi

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
