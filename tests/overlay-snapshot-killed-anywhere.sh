#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# snapshot, rollback and flatten are killed at each of their steps: the overlay then shows what it
# showed before or what the command was to reach, can be written to, and running the command again
# works, or says that it is done. KILLS=all takes every step.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-life.sh" || exit 99
requires_fuse
requires_strace

truncate -s 2M disk.img
head -c 1M /dev/urandom | poke disk.img 300000
change changes disk.img 'put(0, random(9000)); zero(400000, 100000)'
look changes disk.img first
expect 0 "$PLATTER" snapshot changes s1
change changes disk.img 'put(5000, random(9000)); zero(600000, 100000)'
look changes disk.img second
mkdir kept
mv changes changes.s1 kept
begin() {
	rm -f changes*
	cp --sparse=always -p kept/* .
}
all=pwrite64,fallocate,ftruncate,fsync,fdatasync,link,linkat,rename,unlink

# killed SYSCALL N COMMAND...: kill platter at its Nth call.
killed() {
	local call=$1 n=$2 status
	shift 2
	(
		strace -f -qq -o strace.log -e trace="$call" \
			-e inject="$call:signal=SIGKILL:when=$n" "$PLATTER" "$@" >log 2>&1 </dev/null
		exit $?
	) 2>/dev/null
	status=$?
	[ $status != 0 ] || return 1
	[ $status = 137 ] || fail "$what: exit $status: $(cat log)"
}

shows_one_of() { # FILE...
	local view
	look changes disk.img shown
	for view; do
		! cmp -s "$view" shown || return 0
	done
	fail "$what: the overlay shows neither the old nor the new"
}

after_snapshot() {
	shows_one_of second
	"$PLATTER" snapshot changes s2 >log 2>&1 ||
		grep -q 'there is a .*changes.s2 already' log || fail "$what: again: $(cat log)"
	shows_one_of second
	change changes disk.img 'put(1 << 20, b"third")'
	shows "$what: the snapshot" changes.s2 disk.img second
	refused "frozen layer" attach -q disk.img mnt --overlay=changes.s2
	refused "stands on it" discard --yes changes.s2
	expect 0 "$PLATTER" rollback --yes changes s2
	shows "$what: back at the snapshot" changes disk.img second
	expect 0 "$PLATTER" rollback --yes changes s1
	shows "$what: back at the one before" changes disk.img first
}

# Straight after the kill, without anything that would finish the snapshot but this.
after_snapshot_back() {
	local s2=0
	[ "$(stat -c %i changes)" = "$(stat -c %i changes.s2 2>/dev/null)" ] && s2=1
	[ -e changes.s2 ] || s2=1
	if [ $s2 = 0 ]; then
		refused "stands on it" discard --yes changes.s2
		expect 0 "$PLATTER" rollback --yes changes s2
	fi
	shows "$what: rolled back at once" changes disk.img second
	change changes disk.img 'put(1 << 20, b"third")'
}

# And with nothing but an attach.
after_snapshot_attached() {
	[ -e changes.s2 ] && [ "$(stat -c %i changes)" != "$(stat -c %i changes.s2)" ] || return 0
	change changes disk.img 'put(1 << 20, b"third")'
	refused "frozen layer" attach -q disk.img mnt --overlay=changes.s2
}

after_rollback() {
	shows_one_of second first
	expect 0 "$PLATTER" rollback --yes changes s1
	shows "$what: run again" changes disk.img first
	change changes disk.img 'put(1 << 20, b"third")'
}

after_flatten() {
	shows_one_of second
	expect 0 "$PLATTER" flatten changes
	shows "$what: run again" changes disk.img second
	expect 0 "$PLATTER" status --json changes
	same "$what: layers" "$(json out 'j["layers"]')" "[]"
	# A layer that is left goes alone.
	[ ! -e changes.s1 ] || expect 0 "$PLATTER" discard --yes changes.s1
	change changes disk.img 'put(1 << 20, b"third")'
}

kills=0
at_each_step() { # CHECK COMMAND...
	local check=$1 call n last
	shift
	begin
	strace -f -qq -o calls -e trace=$all "$PLATTER" "$@" >log 2>&1 || fail "$*: $(cat log)"
	for call in ${all//,/ }; do
		last=$(grep -c " $call(" calls)
		for n in $(seq "$last"); do
			# A sample: the names, and the last of each other kind.
			case ${KILLS:-}$call in
			all* | link | linkat | rename | unlink) ;;
			*) [ "$n" = "$last" ] || continue ;;
			esac
			what="$1 killed at $call:$n"
			begin
			killed "$call" "$n" "$@" || continue
			kills=$((kills + 1))
			$check
			# What else it may have left can be removed like any overlay.
			for left in changes.*; do
				case $left in
				changes.*-*) expect 0 "$PLATTER" discard --yes "$left" ;;
				esac
			done
		done
	done
}
at_each_step after_snapshot snapshot changes s2
at_each_step after_snapshot_back snapshot changes s2
at_each_step after_snapshot_attached snapshot changes s2
at_each_step after_rollback rollback --yes changes s1
at_each_step after_flatten flatten -q changes
[ $kills -ge 20 ] || fail "only $kills kills"
echo "$kills kills"
