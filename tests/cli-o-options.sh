#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# -o: uid=, gid= and umask= decide what files belong to whom and allow; what mount(8) adds is
# accepted and means nothing; unknown options and values are exit 1.
. "${srcdir:-.}/tests/lib.sh" || exit 99
requires_fuse
requires xorriso genisoimage

make_iso rr.iso
mkdir src
echo x >src/FILE.TXT
genisoimage -quiet -o plain.iso src 2>log || fail "genisoimage: $(cat log)"
xorriso -outdev owned.iso -map iso-source / -chown_r 1234 / -- -chgrp_r 567 / -- -commit >log 2>&1 ||
	fail "xorriso: $(cat log)"
me=$(id -u) group=$(id -g)

# seen IMAGE OPTIONS WANT [FILE]: owner, group and mode that stat shows; ls -l shows the same.
seen() {
	local image=$1 file=${4:-run}
	# shellcheck disable=SC2086
	mount_image "$image" mnt ${2:+-o $2}
	same "$image with '$2'" "$(stat -c '%u %g %a' "mnt/$file")" "$3"
	detach mnt
	# shellcheck disable=SC2086
	expect 0 "$PLATTER" ls -l "$image" "$file" ${2:+-o $2}
	same "ls of $image with '$2'" "$(awk '{ print $3, $4 }' out)" "${3% *}"
}
seen owned.iso '' '1234 567 755'
seen owned.iso uid=4321 '4321 567 755'
seen owned.iso gid=4321 '1234 4321 755'
seen owned.iso uid=0,gid=0 '0 0 755'
seen owned.iso umask=027 '1234 567 750'
seen owned.iso uid=7,gid=8,umask=0777 '7 8 0'
seen owned.iso umask=022,umask=0 '1234 567 755'
seen owned.iso umask=133 '1234 567 644'
# Without owners in the image they are the caller's.
seen plain.iso '' "$me $group 444" FILE.TXT
seen plain.iso uid=65000,umask=222 "65000 $group 444" FILE.TXT
seen plain.iso uid=65000,umask=077 "65000 $group 400" FILE.TXT
# And so are nodes.
attach rr.iso mnt -o uid=65000,gid=65001,umask=0077
same "a node" "$(stat -c '%u %g %a' mnt/disk)" '65000 65001 400'
same "a directory" "$(stat -c '%u %g %a' mnt/parts)" '65000 65001 500'
detach mnt

for options in rw ro rw,dev,suid,exec,nodev,nosuid,noexec noatime,relatime _netdev,nofail \
	x-systemd.automount,x-gvfs-hide,x-foo=bar user,users,nouser,owner auto,noauto,defaults \
	sync,async atime,diratime,nodiratime,norelatime,strictatime "ro,,rw," "" ","; do
	mount_image rr.iso mnt -o "$options"
	case $(awk -v d="$tmp/mnt" '$2 == d { print $4 }' /proc/mounts) in
	ro,nosuid,nodev,*) ;;
	*) fail "with -o $options: $(grep "$tmp/mnt" /proc/mounts)" ;;
	esac
	: 2>/dev/null >>mnt/run && fail "with -o $options it can be written to"
	detach mnt
done
mount_image rr.iso mnt -o ro -o uid=5 -o gid=6,noatime
same "several -o" "$(stat -c '%u %g' mnt/run)" '5 6'
detach mnt

for options in frobnicate uid uid= uid=root uid=-1 uid=4294967295 uid=1x gid=x umask=8 umask=1000 \
	umask= layout=none layout tree=ext4 session=0 session=x map=upper sector=500 sector=513 \
	sector=8192 part=x part overlay= suid=1 ro=1 loop remount bind,ro,what; do
	expect 1 "$PLATTER" mount rr.iso mnt -o "$options"
	grep -q '^platter: -o ' err || fail "-o $options: the message does not say which"
	expect 1 "$PLATTER" info rr.iso -o "$options"
done
[ ! -e mnt ] || fail "a mount point was left"

# A backslash takes a comma as it is.
truncate -s 1M disk.img
attach disk.img mnt -o 'overlay=a\,b'
detach mnt
[ -f 'a,b' ] || fail "the overlay's name"
