#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Directories that Rock Ridge relocated because they lie too deep are where they belong, and are
# not seen in rr_moved.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires genisoimage xorriso

deep=1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18
mkdir -p "$tmp/src/$deep" "$tmp/src/1/2/3/4/5/6/7/other/9"
echo bottom >"$tmp/src/$deep/file"
echo half >"$tmp/src/1/2/3/4/5/6/7/8/file"
echo beside >"$tmp/src/1/2/3/4/5/6/7/other/9/file"
chmod 750 "$tmp/src/1/2/3/4/5/6/7/8"

check()
{
	expect 0 "$PLATTER" cp -r "$1" top "$tmp/copy"
	diff -r "$tmp/src" "$tmp/copy" || fail "$1: the trees differ"
	rm -rf "$tmp/copy"
	# The attributes are the directory's own, not those of the record that stands for it.
	expect 0 "$PLATTER" ls -l "$1" top/1/2/3/4/5/6/7
	grep -q '^drwxr-x---.* 8$' "$tmp/out" || fail "$1: mode of 8: $(cat "$tmp/out")"
	# What shows of rr_moved, if it does, is empty.
	expect 0 "$PLATTER" ls "$1"
	if grep -qx rr_moved "$tmp/out"; then
		expect 0 "$PLATTER" ls "$1" rr_moved
		[ ! -s "$tmp/out" ] || fail "$1: rr_moved holds $(cat "$tmp/out")"
	fi
}

# genisoimage -R takes over the modes, and relocates below the eighth level.
genisoimage -quiet -R -o "$tmp/genisoimage.iso" -graft-points top="$tmp/src" 2>"$tmp/log" ||
	fail "genisoimage: $(cat "$tmp/log")"
grep -aq RR_MOVED "$tmp/genisoimage.iso" || fail "genisoimage relocated nothing"
check "$tmp/genisoimage.iso"

xorriso -compliance deep_paths_off:long_paths_off -rr_reloc_dir rr_moved \
	-outdev "$tmp/xorriso.iso" -map "$tmp/src" /top -commit >"$tmp/log" 2>&1 ||
	fail "xorriso: $(cat "$tmp/log")"
grep -aq RR_MOVED "$tmp/xorriso.iso" || fail "xorriso relocated nothing"
check "$tmp/xorriso.iso"

# And without relocation, past ECMA-119's eight levels.
genisoimage -quiet -R -D -o "$tmp/deep.iso" -graft-points top="$tmp/src" 2>"$tmp/log" ||
	fail "genisoimage: $(cat "$tmp/log")"
check "$tmp/deep.iso"
