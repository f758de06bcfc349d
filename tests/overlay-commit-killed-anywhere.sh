#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A commit is killed at each of its steps: while the overlay is there it shows what it showed, and
# can be written to only if nothing was begun; running commit again, also after a second kill,
# finishes; and the undo overlay shows the old image. `make check` takes a sample of the steps,
# KILLS=all all of them.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "$srcdir/tests/lib-life.sh" || exit 99
requires_fuse
requires_strace

truncate -s 3000320 disk.img
head -c 1500000 /dev/urandom | poke disk.img 1M
change changes disk.img 'put(10, random(100)); put(1100000, random(5000)); zero(1300000, 50000)'
expect 0 "$PLATTER" snapshot changes s1
change changes disk.img 'put(1102000, random(50)); put(2000000, random(9000)); put(2999000, random(1320))'
look changes disk.img wanted
mkdir kept
cp --sparse=always disk.img changes changes.s1 kept
old=kept/disk.img

# A copy of the image has other times, as one that was moved: that is for the fingerprint.
begin() {
	rm -rf changes* undo
	cp --sparse=always -p kept/* .
}

# killed SYSCALL N [OPTION...]: kill a commit at its Nth call; false when it does not get there.
killed() {
	local call=$1 n=$2 status
	shift 2
	# In a shell of its own, which says nothing of the kill.
	(
		strace -f -qq -o strace.log -e trace="$call" \
			-e inject="$call:signal=SIGKILL:when=$n" \
			"$PLATTER" commit -q --yes "$@" changes >log 2>&1 </dev/null
		exit $?
	) 2>/dev/null
	status=$?
	[ $status != 0 ] || return 1
	[ $status = 137 ] || fail "$what: exit $status: $(cat log)"
}

# What may be there, killed anywhere.
check() {
	if [ ! -e changes ]; then
		same_bytes disk.img wanted
		return
	fi
	shows "$what" changes disk.img wanted
	# A mark that nobody made leaves the image as it was.
	if cmp -s disk.img "$old"; then
		if "$PLATTER" attach -q disk.img mnt --overlay=changes >log 2>&1; then
			detach mnt
			rm -f undo # it is not of what the overlay may hold by now
			return
		fi
	fi
	expect 32 "$PLATTER" attach -q disk.img mnt --overlay=changes
	grep -q 'a commit of it was interrupted: platter commit' err || fail "$what: $(cat err)"
	for command in "snapshot changes s2" "rollback --yes changes s1" "flatten changes" \
		"discard --yes changes"; do
		# shellcheck disable=SC2086
		refused "a commit of it was interrupted" $command
	done
	shows "$what, after what was refused" changes disk.img wanted
}

# Run it again: to its end, after being killed once more when that is said.
finish() {
	if [ -e changes ]; then
		if [ $# -gt 0 ] && [ "$twice" != 0 ]; then
			killed pwrite64 "$twice" "$@" && check
		fi
		[ ! -e changes ] || expect 0 "$PLATTER" commit --yes "$@" changes
	fi
	same_bytes disk.img wanted
	[ ! -e changes ] || fail "$what: the overlay is still there"
	# Killed after the overlay went and before its layer did.
	[ ! -e changes.s1 ] || expect 0 "$PLATTER" discard --yes changes.s1
	[ $# = 0 ] || shows "$what: the undo" undo disk.img "$old"
}

# Which steps there are.
begin
strace -f -qq -o calls -e trace=pwrite64,fallocate,ftruncate,fsync,fdatasync,linkat,unlink \
	"$PLATTER" commit -q --yes --undo=undo changes || fail "a commit without a kill"
steps=()
for call in pwrite64 fallocate ftruncate fsync fdatasync linkat unlink; do
	for n in $(seq "$(grep -c " $call(" calls)"); do
		steps+=("$call:$n")
	done
done
[ "${#steps[@]}" -gt 30 ] || fail "only ${#steps[@]} steps"

# The last writes to files: before them come those to the memory that the scan of the disk uses.
sample() {
	local writes
	writes=$(grep -c ' pwrite64(' calls)
	case $1 in
	pwrite64:*) [ "${1#*:}" -gt $((writes - 6)) ] ;;
	fallocate:* | unlink:* | linkat:*) true ;;
	ftruncate:*) false ;;
	*) [ $((${1#*:} % 2)) = 0 ] ;;
	esac
}
kills=0 twice=0
for step in "${steps[@]}"; do
	[ "${KILLS:-}" = all ] || sample "$step" || continue
	for undo in --undo=undo ""; do
		[ -n "$undo" ] || [ "${KILLS:-}" = all ] || continue
		what="killed at $step${undo:+ with an undo}"
		begin
		# shellcheck disable=SC2086
		killed "${step%:*}" "${step#*:}" $undo || continue
		kills=$((kills + 1))
		twice=$((kills % 3 ? 0 : $(grep -c ' pwrite64(' calls) - kills % 4))
		check
		# shellcheck disable=SC2086
		finish $undo
	done
done
[ $kills -ge 10 ] || fail "only $kills kills"
echo "$kills kills"
