#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Files packed by zisofs, version 1 (mkzftree, xorriso) and 2 (xorriso), read as they were; blocks
# of zeros, the ends of blocks and files that were not packed included.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires xorriso genisoimage mkzftree

mkdir -p "$tmp/src/sub"
seq 1 200000 >"$tmp/src/text"
truncate -s 1000000 "$tmp/src/zeros"
{ seq 1 20000; head -c 300000 /dev/zero; seq 1 30000; } >"$tmp/src/sub/mixed"
head -c 131072 "$tmp/src/text" >"$tmp/src/whole-blocks"
head -c 200000 /dev/urandom >"$tmp/src/random"
echo small >"$tmp/src/small"
: >"$tmp/src/empty"

check()
{
	LC_ALL=C grep -aq "$2" "$1" || fail "$1: nothing was packed"
	expect 0 "$PLATTER" cp -r "$1" top "$tmp/copy"
	diff -r "$tmp/src" "$tmp/copy" || fail "$1: the files differ"
	rm -rf "$tmp/copy"
	expect 0 "$PLATTER" ls -l "$1" top/text
	grep -q "[ 	]$(stat -c %s "$tmp/src/text")[ 	]" "$tmp/out" ||
		fail "$1: size of text: $(cat "$tmp/out")"
}

mkzftree "$tmp/src" "$tmp/packed" || fail "mkzftree"
genisoimage -quiet -R -z -o "$tmp/mkzftree.iso" -graft-points top="$tmp/packed" 2>"$tmp/log" ||
	fail "genisoimage: $(cat "$tmp/log")"
check "$tmp/mkzftree.iso" $'ZF\x10\x01pz'

i=0
for options in version_2=off version_2=off:block_size=128k version_2=on:susp_z2=off \
	version_2=on:susp_z2=on:block_size=64k; do
	i=$((i + 1))
	xorriso -outdev "$tmp/$i.iso" -zisofs $options -map "$tmp/src" /top \
		-set_filter_r --zisofs / -- -commit >"$tmp/log" 2>&1 ||
		fail "xorriso: $(cat "$tmp/log")"
	case $options in
	*=off:b* | version_2=off) check "$tmp/$i.iso" $'ZF\x10\x01pz' ;;
	*susp_z2=off*) check "$tmp/$i.iso" $'ZF\x10\x02PZ' ;;
	*) check "$tmp/$i.iso" $'Z2\x10\x02PZ' ;;
	esac
done

# The packed bytes of a disc that was not read to its end are zeros: an error, not a file of them.
start=$(LC_ALL=C grep -abo $'\x37\xe4\x53\x96\xc9\xdb\xd6\x07' "$tmp/1.iso" | head -1 | cut -d: -f1)
cp "$tmp/1.iso" "$tmp/holes.iso"
dd if=/dev/zero of="$tmp/holes.iso" bs=2048 seek=$((start / 2048)) count=16 conv=notrunc status=none
bad=0
for file in text zeros sub/mixed whole-blocks; do
	"$PLATTER" cat "$tmp/holes.iso" "top/$file" >"$tmp/out" 2>"$tmp/err" || bad=$((bad + 1))
done
[ $bad -ge 1 ] || fail "packed data that is gone reads as something"
