# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the test scripts share. A script sources this first, states what it needs with requires_*,
# and ends with 0 when what its name says holds. A private folder, $tmp, is the working directory;
# mounts and loop devices in it are cleaned away at the end, whatever happened.
#
# Set by `make check`: PLATTER (the program), srcdir and builddir.

set -u

: "${PLATTER:=$PWD/platter}" "${srcdir:=.}" "${builddir:=.}"
srcdir=$(cd "$srcdir" && pwd)
builddir=$(cd "$builddir" && pwd)
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export LC_ALL=C TZ=UTC NO_COLOR=1

# What runs this may ignore signals (nohup does, and a shell for its jobs in the background), and
# who is born so stays so; the tests are about what signals do.
ignored=$(awk '/^SigIgn:/ { print "0x" $2 }' /proc/self/status)
if [ $((ignored & 0x4003)) != 0 ] && env --default-signal=HUP,INT,TERM true 2>/dev/null; then
	exec env --default-signal=HUP,INT,TERM bash "$0" "$@"
fi

skip() {
	echo "SKIP: $*"
	exit 77
}

fail() {
	echo "FAIL: $*" >&2
	[ ! -s "$tmp/err" ] || sed 's/^/  stderr: /' "$tmp/err" >&2
	exit 1
}

# requires TOOL...: programs that the test uses.
requires() {
	local tool
	for tool in "$@"; do
		command -v "$tool" >/dev/null || skip "needs $tool"
	done
}

requires_root() {
	[ "$(id -u)" = 0 ] || skip "needs root"
}

# A FUSE file system can be mounted: by root with /dev/fuse, by others with fusermount3 as well.
requires_fuse() {
	[ -c /dev/fuse ] || skip "needs FUSE: there is no /dev/fuse"
	[ "$(id -u)" = 0 ] && return
	[ -w /dev/fuse ] || skip "needs FUSE: /dev/fuse is not for this user"
	command -v fusermount3 >/dev/null || skip "needs FUSE: there is no fusermount3"
}

requires_loop() {
	requires_root
	requires losetup
	losetup -f >/dev/null 2>&1 || skip "needs a free loop device"
}

# requires_filesystem TYPE: the kernel's own driver.
requires_filesystem() {
	modprobe "$1" 2>/dev/null
	grep -qw "$1" /proc/filesystems || skip "needs the kernel's $1"
}


tmp=$(mktemp -d "${TMPDIR:-/tmp}/platter-test.XXXXXX")
trap clean_up EXIT
trap 'exit 99' INT TERM HUP
cd "$tmp" || exit 99
export XDG_CACHE_HOME=$tmp/cache # nothing of a test is kept in its user's

# What a sanitizer finds in a daemon, whose stderr is nowhere, makes the test fail as well.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}log_path=$tmp/sanitizer"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:+$UBSAN_OPTIONS:}print_stacktrace=1:log_path=$tmp/sanitizer"

# Loop devices first (one that is in use goes with its last user): once the mount under it is
# detached, a device does not name its file any more.
clean_up() {
	local status=$? dir loop pids
	cd / || exit 99
	pids=$(jobs -p)
	disown -a
	# shellcheck disable=SC2086
	[ -z "$pids" ] || kill -9 $pids 2>/dev/null
	for _ in 1 2 3; do
		[ "$(id -u)" != 0 ] || losetup -nO NAME,BACK-FILE 2>/dev/null |
			awk -v t="$tmp/" 'index($2, t) == 1 { print $1 }' |
			while read -r loop; do losetup -d "$loop"; done
		awk -v t="$tmp/" 'index($5, t) == 1 { print $5 }' /proc/self/mountinfo | tac |
			while read -r dir; do
				dir=$(printf %b "${dir//\\/\\0}") # a space is \040 there
				umount -l "$dir" 2>/dev/null || fusermount3 -uz "$dir" 2>/dev/null
			done
	done
	# A process that is killed while LeakSanitizer looks at it is no finding.
	if cat "$tmp"/sanitizer.* 2>/dev/null | grep -qv 'Unable to get registers from thread'; then
		cat "$tmp"/sanitizer.* >&2
		[ "$status" = 77 ] || status=1
	fi
	chmod -R u+w "$tmp" 2>/dev/null # copies keep the modes of read-only directories
	rm -rf "$tmp"
	exit "$status"
}

# expect STATUS COMMAND...: run it; stdout is in $tmp/out, stderr in $tmp/err.
expect() {
	local want=$1 got
	shift
	"$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	got=$?
	[ "$got" = "$want" ] || fail "exit $got, expected $want: $*"
}

# json FILE EXPRESSION: print a Python expression of j, the parsed file.
json() {
	python3 -c 'import json, sys
j = json.load(open(sys.argv[1]))
print(eval(sys.argv[2]))' "$1" "$2"
}

# same WHAT GOT WANTED
same() {
	[ "$2" = "$3" ] || fail "$1: got '$2', expected '$3'"
}

# same_bytes FILE FILE
same_bytes() {
	cmp "$1" "$2" >"$tmp/cmp" 2>&1 || fail "$1 and $2 differ: $(cat "$tmp/cmp")"
}

sha256() {
	sha256sum "$1" | cut -d' ' -f1
}

# on_one_core: what follows in this shell. What works on all cores has a single thread then.
on_one_core() {
	taskset -cp "$(taskset -cp "$BASHPID" | sed 's/.*: //; s/[-,].*//')" "$BASHPID" >"$tmp/log" ||
		fail "taskset: $(cat "$tmp/log")"
}

# attach and mount, with the daemon gone again by the end of the test.
attach() {
	expect 0 "$PLATTER" attach "$@"
}

mount_image() {
	expect 0 "$PLATTER" mount "$@"
}

detach() {
	expect 0 "$PLATTER" umount "$@"
}

# wait_for SECONDS COMMAND...: until it succeeds.
wait_for() {
	local end=$(($(date +%s%N) + $1 * 1000000000))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s%N)" -lt "$end" ] || return 1
		sleep 0.01
	done
}

# not COMMAND...: for wait_for and expect.
not() {
	! "$@"
}

# mounted DIR: something is mounted there; asks nothing of the mount itself.
mounted() {
	awk -v d="$1" '$5 == d { found = 1 } END { exit !found }' /proc/self/mountinfo
}

# ended PID...: these processes are gone, or wait to be reaped.
ended() {
	local pid
	for pid; do
		! grep -q '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$pid/status" 2>/dev/null || return 1
	done
}

# poke FILE OFFSET [TEXT]: write TEXT, or stdin, into a file or node.
poke() {
	if [ $# = 3 ]; then printf %s "$3"; else cat; fi |
		dd of="$1" bs=64K oflag=seek_bytes seek="$2" conv=notrunc iflag=fullblock status=none
}

# peek FILE OFFSET LENGTH
peek() {
	dd if="$1" bs=64K iflag=skip_bytes,count_bytes skip="$2" count="$3" status=none
}

# daemon_of DIR, supervisor_of DIR: process ids.
daemon_of() {
	list_field "$1" pid
}

supervisor_of() {
	list_field "$1" supervisor
}

list_field() {
	"$PLATTER" list --json | python3 -c 'import json, os, sys
for m in json.load(sys.stdin):
    if m["dir"] == os.path.abspath(sys.argv[1]):
        print(m[sys.argv[2]] or "")' "$1" "$2"
}

# make_ext4_disk FILE: 64 MiB with an MBR and a labelled ext4 in partition 1, 40 MiB.
make_ext4_disk() {
	truncate -s 64M "$1"
	printf '2048,81920,83\n83968,,83\n' | sfdisk -q "$1" >/dev/null || fail "sfdisk"
	mkfs.ext4 -q -F -L platter-root -E offset=1048576 "$1" 40M >/dev/null 2>&1 || fail "mkfs.ext4"
}

# make_iso FILE [LABEL]: a small disc with Rock Ridge: hello.txt, dir/deeper/data.bin (300000 bytes),
# link -> dir/deeper/data.bin, run (0755), all of 2001-02-03. Its source stays in $tmp/iso-source.
make_iso() {
	local src=$tmp/iso-source
	if [ ! -d "$src" ]; then
		mkdir -p "$src/dir/deeper"
		echo "hello, world" >"$src/hello.txt"
		seq 1000000 | head -c 300000 >"$src/dir/deeper/data.bin"
		ln -s dir/deeper/data.bin "$src/link"
		echo "#!/bin/sh" >"$src/run"
		chmod 644 "$src/hello.txt" "$src/dir/deeper/data.bin"
		chmod 755 "$src/run" "$src/dir" "$src/dir/deeper" "$src"
		find "$src" -depth -exec touch -h -d '2001-02-03 04:05:06 UTC' {} +
	fi
	xorriso -as mkisofs -quiet -R -V "${2:-PLATTER}" -o "$1" "$src" >"$tmp/log" 2>&1 ||
		fail "xorriso: $(cat "$tmp/log")"
}

# private_mounts: run the rest of the script in a mount namespace of its own, without the mounts of
# the tests that run beside it: a copy of them would keep their daemons alive. Call it first.
private_mounts() {
	[ -z "${PLATTER_TEST_PRIVATE:-}" ] || return 0
	cd / && rm -rf "$tmp"
	export PLATTER_TEST_PRIVATE=1 PLATTER srcdir builddir
	# shellcheck disable=SC2016
	exec unshare -m --propagation private sh -c '
		awk "index(\$5, \"/platter-test.\") || / - fuse.platter / { print \$5 }" \
			/proc/self/mountinfo | tac | xargs -r umount -l
		exec bash "$0"' "$srcdir/tests/${0##*/}"
}

# as_user COMMAND...: as nobody, who can reach $tmp and the program. users_may_mount first, if it is
# to mount: it makes /dev/fuse everybody's, in the mount namespace of private_mounts.
as_user() {
	HOME=/nonexistent XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR-} setpriv --reuid=65534 --regid=65534 \
		--clear-groups "$@"
}

users_may_mount() {
	requires setpriv fusermount3
	chmod 755 "$tmp"
	as_user "$PLATTER" -V >/dev/null 2>&1 || skip "needs a program that other users can reach"
	mkdir "$tmp/dev"
	mount -t tmpfs -o mode=755 none "$tmp/dev" || skip "needs to mount a tmpfs"
	mknod -m 666 "$tmp/dev/fuse" c 10 229 || skip "needs to make device nodes"
	mount --bind "$tmp/dev/fuse" /dev/fuse || skip "needs to bind device nodes"
}

# requires_strace: what a traced program does not free is no leak.
requires_strace() {
	requires strace
	strace -qq -o /dev/null true 2>/dev/null || skip "needs a strace that may trace"
	export ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0
}

# trace_daemon DIR STRACE-OPTION...: trace all threads of the daemon into $tmp/calls from now on.
trace_daemon() {
	local daemon
	daemon=$(daemon_of "$1")
	shift
	strace -f -p "$daemon" -o "$tmp/calls" "$@" 2>"$tmp/strace.log" 5>&- &
	wait_for 5 all_traced "$daemon" || skip "needs a strace that may attach: $(cat "$tmp/strace.log")"
}

all_traced() {
	! grep -qh '^TracerPid:[[:space:]]*0$' "/proc/$1/task/"*/status
}
