#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# With room for only N descriptors, for each N from what a program needs to start at all: attach
# works and so does all that follows, or it is refused with a message and leaves nothing behind.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse

head -c 4M /dev/urandom >disk.img
limited() {
	local n=$1
	shift
	(ulimit -n "$n" && exec "$PLATTER" "$@") >out 2>err </dev/null
}

works=0 refused=0 n=4
while [ $works -lt 6 ]; do
	[ $n -lt 64 ] || fail "no attach works with $n descriptors"
	limited $n attach disk.img mnt --overlay=changes
	status=$?
	if [ $status = 0 ]; then
		works=$((works + 1))
		poke mnt/disk 1M "with $n" || fail "$n: writing"
		same_bytes <(peek mnt/disk 2M 2M) <(peek disk.img 2M 2M)
		sync mnt/disk || fail "$n: fsync"
		detach mnt
		expect 0 "$PLATTER" status --json changes
		same "$n: closed" "$(json out 'j["clean"]')" True
		attach -o ro disk.img mnt --overlay=changes
		same "$n: what was written" "$(peek mnt/disk 1M $((5 + ${#n})))" "with $n"
		detach mnt
	else
		refused=$((refused + 1))
		[ "$works" = 0 ] || fail "$n: refused, but with fewer descriptors it worked"
		[ $status -le 32 ] || fail "$n: exit $status"
		[ -s err ] || fail "$n: refused without a message"
		not mounted "$tmp/mnt" || fail "$n: the mount is left"
		[ ! -e mnt ] || fail "$n: the directory is left"
		left=$(ls)
		case $left in
		"$(printf 'disk.img\nerr\nout')") ;;
		"$(printf 'changes\ndisk.img\nerr\nout')")
			expect 0 "$PLATTER" status changes
			rm changes
			;;
		*) fail "$n: left behind: $left" ;;
		esac
	fi
	n=$((n + 1))
done
echo "refused with up to $((n - 7)) descriptors, works with more"
[ $refused -ge 1 ] || fail "it was never refused"
