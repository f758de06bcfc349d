#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The checksum that the manifest of an OVA has of the chosen disk is one that `platter verify` looks
# at, in all the ways in which manifests are written.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-formats.sh"
. "$srcdir/tests/lib-vmdk.sh"
requires tar python3 sha1sum sha512sum
"$PLATTER" -h | grep -q 'platter verify' || skip "needs platter verify"

fill raw 300032
echo '<Envelope/>' >vm.ovf
make_vmdk stream 'vm (1).vmdk' raw
cp 'vm (1).vmdk' other.vmdk
echo more >>other.vmdk
sum() {
	"$1" "$2" | cut -d' ' -f1
}

# verified STATUS WHAT LINE...: with a manifest of these lines.
verified() {
	local status=$1 what=$2

	shift 2
	printf '%s\n' "$@" >vm.mf
	tar -cf vm.ova vm.ovf other.vmdk vm.mf 'vm (1).vmdk'
	expect "$status" "$PLATTER" verify -o disk=2 vm.ova
	cat out err | grep -q "$what" || fail "$*: says $(cat out err)"
}
sha1=$(sum sha1sum 'vm (1).vmdk')
verified 0 'sha1 of vm (1).vmdk' "SHA1(vm.ovf)= $(sum sha1sum vm.ovf)" "SHA1(vm (1).vmdk)= $sha1"
verified 0 'sha256 of vm (1).vmdk' "SHA256 (vm (1).vmdk) = $(sum sha256sum 'vm (1).vmdk')"$'\r'
verified 0 'sha512 of vm (1).vmdk' "sha512(vm (1).vmdk)=$(sum sha512sum 'vm (1).vmdk' | tr a-f A-F)"
verified 32 'sha1' "SHA1(vm (1).vmdk)= $(sum sha1sum other.vmdk)"
# Nothing that can be made sense of: nothing is stored.
for line in "SHA1(vm (1).vmdk)= ${sha1%?}" "SHA1(vm (1).vmdk)= ${sha1}0" "SHA1(vm (1).vmdk= $sha1" \
	"MD5(vm (1).vmdk)= $sha1" "SHA1(other.vmdk)= $sha1" "SHA1x(vm (1).vmdk)= $sha1" ''; do
	verified 0 ' vm.ova$' "$line"
	! grep -q sha1 out || fail "$line: taken: $(cat out)"
done
