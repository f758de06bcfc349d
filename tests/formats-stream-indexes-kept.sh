#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a pass over a stream found is used when it is opened again, whatever the format: also where a
# decoder could begin behind the last byte, as before what ends a bzip2 stream or an lz4 frame.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh" || exit 99
requires strace
requires_strace

head -c 6291456 /dev/urandom >raw
want=$(sha256 raw)

# reads IMAGE: bytes of the file that opening it reads.
reads() {
	strace -f -e trace=pread64 -o calls -P "$PWD/$1" "$PLATTER" info "$1" >info 2>err || fail "info $1"
	awk '{ n += $NF } END { print n }' calls
}

# kept IMAGE: the pass is made once.
kept() {
	local first again
	if ! "$PLATTER" info "$1" >info 2>err && grep -q "which this build lacks" err; then
		return
	fi
	rm -r "$XDG_CACHE_HOME"
	first=$(reads "$1")
	again=$(reads "$1")
	# What else there is to read, to look for partitions, is the same.
	[ "$again" -le $((first - $(stat -c %s "$1"))) ] || fail "$1: $first bytes read, again $again"
	expect 0 "$PLATTER" cat -p 0 "$1"
	same "$1" "$(sha256 out)" "$want"
}

done=0
# with TOOL IMAGE ARGUMENT...: of the whole, and of halves one after the other with padding.
with() {
	local tool=$1 image=$2
	shift 2
	command -v "$tool" >/dev/null || return
	"$tool" -c "$@" <raw >"$image"
	{ head -c 4194304 raw | "$tool" -c "$@"; tail -c +4194305 raw | "$tool" -c "$@"; } >"two-$image"
	kept "$image"
	kept "two-$image"
	done=$((done + 1))
}
with gzip disk.gz -1
with bzip2 disk.bz2 -9
with lz4 disk.lz4 -q -B4
with lz4 dependent.lz4 -q -BD
with lz4 legacy.lz4 -q -l
with zstd disk.zst -q
[ $done != 0 ] || skip "needs gzip, bzip2, lz4 or zstd"
# The second of two frames is skippable, and nothing is in it.
if [ -e disk.zst ]; then
	{ cat disk.zst; printf '\x50\x2a\x4d\x18\x04\0\0\0abcd'; } >skippable.zst
	kept skippable.zst
fi
