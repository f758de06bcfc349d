# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# For the tests of snapshots, rollback, flatten and commit. Sourced after lib.sh.

# change OVERLAY IMAGE PYTHON [OPTION...]: attach, run PYTHON with f, the disk's node (an open file
# of mode r+b), and zero(OFFSET, LENGTH), and detach.
change() {
	local overlay=$1 image=$2 code=$3
	shift 3
	attach -q "$image" mnt.change --overlay="$overlay" "$@"
	python3 - "$code" <<'PY' || fail "writing: $code"
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
f = open("mnt.change/disk", "r+b", buffering=0)
def put(off, data):
    f.seek(off)
    assert f.write(data) == len(data)
def zero(off, length):  # FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
    if libc.fallocate(f.fileno(), 3, ctypes.c_long(off), ctypes.c_long(length)):
        raise OSError(ctypes.get_errno(), "fallocate")
random = os.urandom
exec(sys.argv[1])
PY
	detach mnt.change
}

# look OVERLAY IMAGE FILE: what the overlay shows, into FILE; nothing is changed by it.
look() {
	attach -q -o ro "$2" mnt.look --overlay="$1"
	cat mnt.look/disk >"$3" || fail "reading through $1"
	detach mnt.look
}

# shows WHAT OVERLAY IMAGE WANTED: the overlay shows the contents of the file WANTED.
shows() {
	look "$2" "$3" shown
	cmp shown "$4" >cmp.log 2>&1 || fail "$1: $2 shows something else: $(cat cmp.log)"
}

# refused TEXT COMMAND...: platter COMMAND ends with 32 and one line on stderr that has TEXT, within
# two seconds.
refused() {
	local text=$1
	shift
	expect 32 timeout 2 "$PLATTER" "$@"
	grep -q -- "^platter: .*$text" err || fail "$*: the message does not say '$text'"
	same "lines on stderr of $*" "$(wc -l <err)" 1
}

# sums FILE...: of their contents, to see that nothing was changed.
sums() {
	sha256sum "$@"
}
