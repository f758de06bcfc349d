#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A signal, an image that cannot be read or that changes meanwhile, and a disk that fails end an
# export: no file, and no temporary one where the filesystem knows no files without a name.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires_strace
env --default-signal=INT true 2>/dev/null || skip "needs env --default-signal"

head -c 8M /dev/urandom >disk.img
attach disk.img mnt --overlay=changes
poke mnt/disk 5000000 changed || fail "writing"
detach mnt
mkdir to

# How often a call is made before the new file is there, by a run that nothing is done to.
expect 0 strace -f -o plain -e trace=openat,pwrite64 "$PLATTER" export changes to/new
rm to/new
before() {
	awk -v call="$1(" '/O_TMPFILE/ { print n + 0; exit } index($0, call) { n++ }' plain
}
delay=inject=pwrite64:delay_exit=300000:when=$(($(before pwrite64) + 1))+

# slow HOW STRACE-OPTION...: an export in the background, every write to its file delayed; $job.
slow() {
	: >calls
	# A shell's job in the background ignores SIGINT.
	env --default-signal=INT strace -f -o calls -e trace=openat,pwrite64 -e "$delay" "${@:2}" \
		"$PLATTER" export "$1" changes to/new >out 2>err &
	job=$!
	wait_for 20 written || fail "nothing was written: $(tail -3 calls)"
}
written() { # something to the new file, whose name is the last that was opened
	awk '/O_TMPFILE/ { made = 1 } made && /pwrite64/ { found = 1 } END { exit !found }' calls
}
exporter() {
	awk 'NR == 1 { print $1 }' calls
}
ended_with() { # STATUS TEXT
	local got
	wait "$job"
	got=$?
	same "status" "$got" "$1"
	same "lines on stderr" "$(wc -l <err)" 1
	grep -q "^platter: to/new: $2" err || fail "does not say '$2'"
	same "files" "$(ls -A to)" ""
}

for signal in INT TERM HUP; do
	slow --format=raw
	kill -$signal "$(exporter)"
	ended_with 8 interrupted
done
slow --format=qcow2
kill -INT "$(exporter)"
ended_with 8 interrupted

# Without nameless files: the open that asks for one fails.
slow --format=raw -e "inject=openat:error=EOPNOTSUPP:when=$(($(before openat) + 1))"
[ -n "$(ls -A to)" ] || fail "there was no temporary file to be left"
kill -INT "$(exporter)"
ended_with 8 interrupted

# What nohup has set stays.
(trap '' HUP && slow --format=raw && kill -HUP "$(exporter)" && wait "$job") ||
	fail "a signal that is ignored ended it"
[ -f to/new ] || fail "no file"
rm to/new

# The image changes while it is read: what was copied may be of both.
slow --format=raw
poke disk.img 100 different
ended_with 32 '.*disk.img changed while it was copied'
