#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A signal during the pass over a compressed stream ends it soon, with exit status 8 and one line, and
# leaves nothing.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires gzip pgrep strace
requires_strace

head -c 16000000 /dev/urandom | gzip -1 -c >disk.gz
for signal in HUP TERM; do # INT is ignored by what a script starts in the background
	rm -f calls
	# Held up at a read of the file in the middle of the pass until the signal has come.
	strace -o calls -P "$PWD/disk.gz" -e trace=pread64 -e inject=pread64:delay_enter=20000:when=60+ \
		"$PLATTER" info disk.gz >out 2>err </dev/null &
	pid=$!
	wait_for 20 grep -q DELAYED calls || fail "no pass to interrupt"
	kill -s "$signal" "$(pgrep -P "$pid")"
	wait "$pid"
	same "exit status after $signal" $? 8
	same "lines of stderr" "$(cat err)" "platter: disk.gz: interrupted"
	same "what is left" "$(find cache -type f 2>/dev/null)" ""
done
expect 0 "$PLATTER" info -q disk.gz
