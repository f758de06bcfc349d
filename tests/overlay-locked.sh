#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An overlay has one user: a second attach waits for the first to end, and is refused when that
# takes longer than ten seconds; status says that it is in use, and by which process.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse

truncate -s 8M disk.img
attach disk.img first --overlay=changes
poke first/disk 0 one || fail "writing"
expect 0 "$PLATTER" status --json changes
same "in use" "$(json out 'j["in_use"], j["clean"], j["closed"]')" "(True, False, None)"
# The process that opened it ended; its daemon and supervisor go on.
[ "$(json out 'j["pid"]')" -gt 0 ] || fail "no process: $(cat out)"

# Refused after a while: strace lets the waiting pass at once.
if strace -qq -o /dev/null true 2>/dev/null; then
	ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 expect 32 strace -qq -o log -e trace=clock_nanosleep \
		-e inject=clock_nanosleep:retval=0 "$PLATTER" attach disk.img second --overlay=changes
	grep -q "^platter: .*changes.*in use" err || fail "the message does not say why"
	same "lines on stderr" "$(wc -l <err)" 1
	[ ! -e second ] || fail "the mount point is left"
fi
expect 32 "$PLATTER" discard --yes changes
[ -f changes ] || fail "discarded while in use"

# Waits: umount(8) and fusermount3 return before the daemon has flushed.
"$PLATTER" attach disk.img second --overlay=changes 2>log &
second=$!
sleep 0.2
not mounted "$tmp/second" || fail "attached twice"
kill -0 $second || fail "did not wait: $(cat log)"
detach first
wait $second || fail "the second attach: $(cat log)"
same "what the first wrote" "$(peek second/disk 0 3)" one
detach second
expect 0 "$PLATTER" status --json changes
same "in use" "$(json out 'j["in_use"], j["clean"], j["pid"]')" "(False, True, None)"
