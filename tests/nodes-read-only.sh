#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Without an overlay nothing can be written, not by root either and not with -o rw: every attempt is
# refused, and the image stays as it is, its times included.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires sfdisk mkfs.ext4

# Opens of every kind, and what changes a directory; each must fail with EROFS, EACCES or EPERM.
refused() {
	python3 - "$1" <<'END' || fail "not refused"
import errno, os, sys
d, bad = sys.argv[1], 0
node = d + "/parts/1"
tries = {
    "open for writing": lambda: os.open(node, os.O_WRONLY),
    "open for both": lambda: os.open(d + "/disk", os.O_RDWR),
    "open and truncate": lambda: os.open(node, os.O_WRONLY | os.O_TRUNC),
    "append to a gap": lambda: os.open(d + "/gaps/0-1048576", os.O_WRONLY | os.O_APPEND),
    "write info.json": lambda: os.open(d + "/.platter/info.json", os.O_WRONLY),
    "create": lambda: os.open(d + "/parts/new", os.O_WRONLY | os.O_CREAT, 0o600),
    "truncate": lambda: os.truncate(node, 0),
    "mkdir": lambda: os.mkdir(d + "/parts/dir"),
    "rmdir": lambda: os.rmdir(d + "/boot"),
    "unlink": lambda: os.unlink(node),
    "rename": lambda: os.rename(node, d + "/parts/5"),
    "link": lambda: os.link(node, d + "/parts/6"),
    "symlink": lambda: os.symlink("1", d + "/parts/7"),
    "chmod": lambda: os.chmod(node, 0o666),
    "chown": lambda: os.chown(node, 1, 1),
    "utime": lambda: os.utime(node),
    "setxattr": lambda: os.setxattr(d, "user.platter", b"x"),
}
for name, call in tries.items():
    try:
        call()
    except OSError as e:
        if e.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            continue
        print("%s: %s" % (name, e), file=sys.stderr)
    else:
        print("%s: done" % name, file=sys.stderr)
    bad = 1
sys.exit(bad)
END
}

make_ext4_disk disk.img
before=$(sha256 disk.img) times=$(stat -c '%y %z %b' disk.img)
for options in ro rw; do
	attach disk.img mnt -o $options
	refused mnt
	same "mode of a node" "$(stat -c %a mnt/parts/1)" 444
	same_bytes disk.img mnt/disk
	# The daemon could not write if it wanted to.
	image=$(realpath disk.img) fds=0
	for fd in "/proc/$(daemon_of mnt)/fd/"*; do
		[ "$(readlink "$fd")" = "$image" ] || continue
		fds=$((fds + 1))
		grep -q '^flags:.*0$' "${fd/\/fd\///fdinfo/}" || fail "the image is open for writing"
	done
	[ $fds -gt 0 ] || fail "the daemon has no descriptor of the image"
	detach mnt
done
same "the image" "$(sha256 disk.img)" "$before"
same "the image's times" "$(stat -c '%y %z %b' disk.img)" "$times"
