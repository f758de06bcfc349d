#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# mount(8) mounts images by type, by hand and from fstab, and unmounts them: the bare form that it
# calls takes what it adds.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires_root
requires mount umount unshare xorriso
command -v mount.fuse3 >/dev/null || command -v mount.fuse >/dev/null || skip "needs mount.fuse3"
private_mounts

# mount(8) hands on no environment: the program must be where /bin/sh looks by itself.
[ -d /usr/local/sbin ] || skip "needs /usr/local/sbin"
expect 0 mount -t tmpfs -o mode=755 none /usr/local/sbin
cat >/usr/local/sbin/platter <<END
#!/bin/sh
export ASAN_OPTIONS='$ASAN_OPTIONS' UBSAN_OPTIONS='$UBSAN_OPTIONS'
exec '$PLATTER' "\$@"
END
chmod 755 /usr/local/sbin/platter

make_iso disc.iso
mkdir mnt
shown() { # OWNER
	same "files" "$(cat mnt/hello.txt)" "hello, world"
	same "owner" "$(stat -c %u mnt/run)" "$1"
	same "/proc/mounts" "$(awk -v d="$tmp/mnt" '$2 == d { print $1, $3 }' /proc/mounts)" \
		"$tmp/disc.iso fuse.platter"
	same "options" "$(awk -v d="$tmp/mnt" '$2 == d { print $4 }' /proc/mounts | cut -d, -f1-3)" ro,nosuid,nodev
}
gone() {
	local daemon supervisor
	daemon=$(daemon_of mnt) supervisor=$(supervisor_of mnt)
	expect 0 "$@"
	not mounted "$tmp/mnt" || fail "$*: still mounted"
	wait_for 5 ended "$daemon" "$supervisor" || fail "$*: the daemon lives on"
}
expect 0 mount -t fuse.platter disc.iso mnt
same "output" "$(cat out err)" ""
shown 0
gone umount mnt
expect 0 mount -t fuse.platter disc.iso mnt -o ro,uid=1234,umask=022,nosuid,nodev,noexec,x-test=1
shown 1234
gone umount "$tmp/disc.iso"
expect 0 mount -t fuse.platter -r "$tmp/disc.iso" "$tmp/mnt" -o rw,noatime
shown 0
gone "$PLATTER" umount mnt
# Its exit codes come through.
expect 32 mount -t fuse.platter nowhere.iso mnt
grep -q '^platter: .*nowhere.iso: No such file' err || fail "the message"
mount -t fuse.platter disc.iso mnt -o frobnicate 2>err && fail "an unknown option"
grep -q 'frobnicate' err || fail "the message does not name the option"

cat >fstab <<END
$tmp/disc.iso $tmp/mnt fuse.platter nofail,_netdev,noauto,user,x-systemd.automount,uid=77 0 0
END
expect 0 mount -T "$tmp/fstab" "$tmp/mnt"
shown 77
gone umount mnt
sed -i 's/noauto,//' fstab
expect 0 mount -a -T "$tmp/fstab"
shown 77
gone umount mnt

# A disk with partitions: -o part=; start=, which mount(8) leaves alone; offset=, for which it makes
# a loop device itself.
truncate -s 32M disk.img
poke disk.img 4M <disc.iso
for options in start=4M start=4194304,length=16M; do
	expect 0 mount -t fuse.platter disk.img mnt -o $options
	same "with $options" "$(cat mnt/hello.txt)" "hello, world"
	gone umount mnt
done
if losetup -f >/dev/null 2>&1; then
	expect 0 mount -t fuse.platter disk.img mnt -o offset=4194304,sizelimit=16777216
	same "with offset=" "$(cat mnt/hello.txt)" "hello, world"
	gone umount mnt
	no_loop() { ! losetup -nO BACK-FILE | grep -q "^$tmp/disk.img"; }
	wait_for 5 no_loop || fail "the loop device is left: $(losetup -l)"
fi
