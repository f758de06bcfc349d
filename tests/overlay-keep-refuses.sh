#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What keep cannot do leaves the overlay in memory, working, and no file behind: a name that is
# taken, a folder that is not there, a full disk, a client that goes away in the middle, a mount that
# has no overlay in memory. Another user is not listened to.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires python3

head -c 8M /dev/urandom >disk.img
attach disk.img mnt --overlay=ram
head -c 4M /dev/urandom >new
poke mnt/disk 1M <new

still_in_memory() {
	expect 0 "$PLATTER" list --json
	same "$1: the overlay" "$(json out '[m["overlay"] for m in j if m["dir"] == "'"$tmp/mnt"'"]')" "['ram']"
	poke mnt/disk 3 "$1" || fail "$1: writing"
	same "$1: reading" "$(peek mnt/disk 3 ${#1})" "$1"
	expect 0 cmp -i 0:1048576 -n 4194304 new mnt/disk
}

echo mine >taken
expect 2 "$PLATTER" keep mnt taken
grep -q '^platter: .*taken.*exists' err || fail "a name that is taken"
same "it" "$(cat taken)" mine
still_in_memory taken
expect 2 "$PLATTER" keep mnt nowhere/kept
same "lines" "$(wc -l <err)" 1
still_in_memory nowhere
expect 32 "$PLATTER" keep disk.img kept
attach disk.img plain
expect 32 "$PLATTER" keep plain kept
grep -q 'no overlay in memory' err || fail "a mount without an overlay"
detach plain
[ ! -e kept ] || fail "a file was left"

# What the mount says of itself has the number of its control socket.
cat >ask.py <<'END'
import array, fcntl, os, sys
buf = array.array("B", bytes(12288))
f = os.open(sys.argv[1], os.O_RDONLY)
fcntl.ioctl(f, (2 << 30) | (12288 << 16) | (ord("p") << 8) | 0x70, buf, True)
for line in bytes(buf).split(b"\0")[0].split(b"\n"):
    if line.startswith(b"control="):
        print(line[8:].decode())
END
control=$(python3 ask.py mnt) || fail "asking the mount"
[ -n "$control" ] || fail "no control"

# A client that sends a file, hears that it was written, and goes away.
cat >client.py <<'END'
import array, os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.settimeout(10)
s.connect("\0" + sys.argv[1])
f = os.open(".", os.O_TMPFILE | os.O_RDWR)
try:
    s.sendmsg([b"\x01/x/kept\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [f]))])
except BrokenPipeError:
    pass # refused before it was heard
print(s.recv(5000)[1:].split(b"\0")[0].decode())
END
same "the first answer" "$(python3 client.py "$control")" ""
still_in_memory gone
cat >junk.py <<'END'
import socket, sys
for junk in b"\0", b"\5", b"\2placed\0", b"\1no descriptor\0", b"\4\0", b"\xff" * 5000:
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(5)
    s.connect("\0" + sys.argv[1])
    s.send(junk)
END
python3 junk.py "$control" || fail "sending junk"
still_in_memory junk

# A disk without room for it.
if [ "$(id -u)" = 0 ] && mkdir small && mount -t tmpfs -o size=1M none small; then
	expect 2 "$PLATTER" keep mnt small/kept
	grep -q 'No space left' err || fail "a full disk: $(cat err)"
	same "what is left there" "$(ls -A small)" ""
	umount small
	still_in_memory full
fi
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	mkdir -m 777 open
	cp client.py open
	chmod 755 "$tmp"
	said=$(cd open && setpriv --reuid=65534 --regid=65534 --clear-groups \
		/usr/bin/python3 client.py "$control")
	same "another user hears" "$said" "only the owner of the mount may ask"
	still_in_memory stranger
fi
expect 0 "$PLATTER" keep mnt kept
detach mnt
[ -f kept ] || fail "not kept in the end"
