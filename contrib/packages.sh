# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What quickstart and check share: installing what is missing, and building out of tree. Sourced,
# with $top set to the checkout.
: "${top:?the path of the checkout}"

# Everything goes to the Debian names of packages, as "what is looked for : package". A thing that
# is there need not have come from its package.
# shellcheck disable=SC2034
build_needs='
cc:build-essential make:build-essential autoreconf:autoconf automake:automake libtoolize:libtool
pkg-config:pkg-config pod2man:perl fusermount3:fuse3
fuse3.pc:libfuse3-dev blkid.pc:libblkid-dev zlib.pc:zlib1g-dev
libdeflate.pc:libdeflate-dev libzstd.pc:libzstd-dev libcrypto.pc:libssl-dev
libarchive.pc:libarchive-dev liblzma.pc:liblzma-dev liblz4.pc:liblz4-dev
bzlib.h:libbz2-dev snappy-c.h:libsnappy-dev
'

# The tools that tests ask for by `requires`. Those of essential packages (coreutils, diffutils,
# util-linux) are left out.
# shellcheck disable=SC2034
test_needs='
debugfs:e2fsprogs e2fsck:e2fsprogs e2label:e2fsprogs mkfs.ext4:e2fsprogs tune2fs:e2fsprogs
mkfs.xfs:xfsprogs fsck.fat:dosfstools mkfs.fat:dosfstools mkfs.vfat:dosfstools mcopy:mtools mdir:mtools
mkntfs:ntfs-3g fdisk:fdisk sfdisk:fdisk gdisk:gdisk sgdisk:gdisk parted:parted
genisoimage:genisoimage isoinfo:genisoimage mkzftree:genisoimage xorriso:xorriso xorrisofs:xorriso
mdel:mtools mkntfs:ntfs-3g ntfscat:ntfs-3g ntfscp:ntfs-3g ntfsfix:ntfs-3g
mke2fs:e2fsprogs dumpe2fs:e2fsprogs
fdisk:fdisk sfdisk:fdisk gdisk:gdisk sgdisk:gdisk parted:parted
genisoimage:genisoimage mkzftree:genisoimage xorriso:xorriso xorrisofs:xorriso
qemu-img:qemu-utils qemu-io:qemu-utils qemu-nbd:qemu-utils
qemu-storage-daemon:qemu-system-common fio:fio mkfs.xfs:xfsprogs xfs_repair:xfsprogs
getfattr:attr setfattr:attr losetup:mount mount:mount umount:mount gcc:build-essential
man:man-db nm:binutils objdump:binutils readelf:binutils pgrep:procps pkill:procps ps:procps
podchecker:perl python3:python3 shellcheck:shellcheck strace:strace sudo:sudo valgrind:valgrind
ewfacquire:ewf-tools ewfexport:ewf-tools ewfverify:ewf-tools
bximage:bximage create_compressed_fs:cloop-utils
xz:xz-utils zstd:zstd tar:tar bsdtar:libarchive-tools
bchunk:bchunk xz:xz-utils zstd:zstd tar:tar bsdtar:libarchive-tools
xz:xz-utils zstd:zstd tar:tar bsdtar:libarchive-tools 7z:p7zip-full
bchunk:bchunk toc2cue:cdrdao xz:xz-utils zstd:zstd tar:tar bsdtar:libarchive-tools
xz:xz-utils xzcat:xz-utils zstd:zstd lz4:lz4 bzip2:bzip2 gzip:gzip pixz:pixz pbzip2:pbzip2 tar:tar bsdtar:libarchive-tools
bchunk:bchunk toc2cue:cdrdao nrg2iso:nrg2iso mdf2iso:mdf2iso ccd2iso:ccd2iso
xz:xz-utils zstd:zstd tar:tar bsdtar:libarchive-tools
xz:xz-utils xzcat:xz-utils zstd:zstd lz4:lz4 bzip2:bzip2 gzip:gzip pixz:pixz pbzip2:pbzip2
img2simg:android-sdk-libsparse-utils simg2img:android-sdk-libsparse-utils partclone.ext4:partclone
partclone.fat:partclone partclone.restore:partclone ntfsclone:ntfs-3g ntfscp:ntfs-3g tar:tar bsdtar:libarchive-tools
'

# Administrators' tools are not in an ordinary user's path on Debian.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

say() {
	printf '%s\n' "$*"
}

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# package_of NEEDS TOOL
package_of() {
	local need

	for need in $1; do
		[ "${need%%:*}" != "$2" ] || {
			say "${need#*:}"
			return
		}
	done
	return 1
}

# A program, or a library with its headers; or a package by its own name, where it holds neither.
is_there() {
	case $1 in
	*.pc) pkg-config --exists "${1%.pc}" 2>/dev/null ;;
	*.h) [ -e "/usr/include/$1" ] ;;
	*) command -v "$1" >/dev/null ;;
	esac
}

# install_needs "THING:PACKAGE ...": install the packages of the things that are not there.
install_needs() {
	local need missing=()

	for need in $1; do
		is_there "${need%%:*}" || missing+=("${need#*:}")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
	command -v apt-get >/dev/null ||
		die "these are missing, by Debian's names, and there is no apt-get here: ${missing[*]}"
	say "installing ${missing[*]}"
	apt_install "${missing[@]}"
}

apt_install() {
	local as_root=() log status=0

	if [ "$(id -u)" != 0 ]; then
		command -v sudo >/dev/null ||
			die "there is no sudo; let root run: apt-get install $*"
		as_root=(sudo)
	fi
	as_root+=(env DEBIAN_FRONTEND=noninteractive)
	log=$(mktemp)
	# Package lists that were never fetched, or are too old, show in the first try.
	"${as_root[@]}" apt-get install -qq -y --no-install-recommends "$@" >"$log" 2>&1 </dev/null || {
		say "fetching package lists"
		"${as_root[@]}" apt-get update -qq >"$log" 2>&1 </dev/null &&
			"${as_root[@]}" apt-get install -qq -y --no-install-recommends "$@" \
				>>"$log" 2>&1 </dev/null
	} || status=$?
	[ "$status" = 0 ] || tail -n 20 "$log" >&2
	rm -f "$log"
	[ "$status" = 0 ] || die "apt-get cannot install $*"
}

# quietly WHAT LOG COMMAND...: its output is for the log, and for the reader when it fails.
quietly() {
	local what=$1 log=$2

	shift 2
	say "$what"
	"$@" >"$log" 2>&1 </dev/null && return
	tail -n 40 "$log" >&2
	die "$what: failed, $log has all of it"
}

# build_platter BUILD: configure and make there, with $CONFIGURE_FLAGS.
build_platter() {
	local build=$1 flags

	mkdir -p "$build"
	read -ra flags <<<"${CONFIGURE_FLAGS:-}"
	# automake's own rules can redo what is there, but not add what a changed file needs anew.
	if [ ! -x "$top/configure" ] || [ "$top/configure.ac" -nt "$top/configure" ] ||
		[ "$top/Makefile.am" -nt "$top/Makefile.in" ]; then
		(cd "$top" && quietly 'making configure' "$build/autoreconf.log" autoreconf -fi)
	fi
	# Once for each set of flags: make sees to changes of configure itself.
	if [ ! -e "$build/config.status" ] ||
		[ "${flags[*]}" != "$(cat "$build/configure-flags" 2>/dev/null)" ]; then
		(cd "$build" && quietly "configuring in $build" "$build/configure.log" \
			"$top/configure" -q "${flags[@]}")
		say "${flags[*]}" >"$build/configure-flags"
	fi
	quietly 'building' "$build/make.log" make -C "$build" -s -j"$(nproc)"
}
