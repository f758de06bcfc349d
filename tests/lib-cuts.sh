# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A real filesystem on a node, and what is left of it after the power was cut: everything that
# platter does to its overlay is recorded by qemu-storage-daemon (a file served by FUSE over
# blklogwrites, in the format of dm-log-writes), and replayed up to many moments. The host keeps to
# what a disk promises: what was written before a flush is there, of what was written after the last
# one any part. After lib.sh; cuts.py does the rest.
#
#   CUTS=N   how many moments
#   SEED=N   for which of them, and for the load
: "${tmp:?lib.sh comes first}" "${srcdir:?}"

requires_cuts() {
	requires_fuse
	requires_loop
	requires qemu-storage-daemon python3 fstrim fsfreeze fallocate
	qemu-storage-daemon --help | grep -q 'type=\]fuse' ||
		skip "needs a qemu-storage-daemon with FUSE exports"
}

# start_recording OVERLAY: the file recorded is the overlay; what is done to it is in log. A hole
# that is punched is a discard there, which qemu 7 ignores unless told otherwise.
start_recording() {
	: >recorded
	truncate -s 64G log
	qemu-storage-daemon \
		--blockdev driver=file,node-name=f,filename="$1",discard=unmap \
		--blockdev driver=raw,node-name=r,file=f,discard=unmap \
		--blockdev driver=file,node-name=lf,filename=log \
		--blockdev driver=raw,node-name=l,file=lf \
		--blockdev driver=blklogwrites,node-name=w,file=r,log=l,log-sector-size=512,discard=unmap \
		--export type=fuse,id=e,node-name=w,mountpoint="$tmp/recorded",writable=on,allow-other=off \
		>recorder.log 2>&1 5>&- &
	recorder=$!
	wait_for 5 mounted "$tmp/recorded" || {
		cat recorder.log
		skip "needs a qemu-storage-daemon that can export over FUSE"
	}
}

stop_recording() {
	kill "$recorder"
	wait "$recorder" || fail "the recorder: $(cat recorder.log)"
	[ ! -s recorder.log ] || fail "the recorder: $(cat recorder.log)"
}

# cut_power TYPE NODE CUTS FILES: record FILES marked files' worth of load on the filesystem of TYPE
# that NODE of disk.img holds, and check it after CUTS power cuts. The filesystem was made with what
# is in the folder base/.
cut_power() {
	local type=$1 node=$2 cuts=${CUTS:-$3} files=$4 seed=${SEED:-1} loop worker pids=()

	(cd top && python3 -c 'import hashlib, json, os
print(json.dumps({"base/" + n: hashlib.sha256(open("base/" + n, "rb").read()).hexdigest()
    for n in os.listdir("base") if n.startswith("stay")}))') >base-marks || fail "the first marks"
	attach disk.img mnt --overlay=changes
	detach mnt
	cp --sparse=always changes before
	start_recording changes
	attach disk.img mnt --overlay=recorded
	loop=$(losetup -f --show "mnt/$node") || fail losetup
	mkdir fs
	expect 0 mount -t "$type" "$loop" fs
	expect 0 python3 "$srcdir/tests/cuts.py" load fs recorded "$files" "$seed"
	cat out
	expect 0 umount fs
	expect 0 losetup -d "$loop"
	detach mnt
	stop_recording

	# Workers wait for the kernel most of the time. Nothing of what follows has to survive, so it is
	# kept where fsync costs nothing.
	mkdir fast
	mount -t tmpfs none fast || skip "needs to mount a tmpfs"
	cp --sparse=always before fast/before
	cd fast || exit 99
	for worker in 0 1 2 3; do
		python3 "$srcdir/tests/cuts.py" replay "$tmp/log" before "$tmp/changes" "$tmp/disk.img" "$type" \
			"$node" "$cuts" "$seed" $worker 4 "$tmp/base-marks" >"log$worker" 2>&1 &
		pids+=($!)
	done
	for worker in 0 1 2 3; do
		wait "${pids[worker]}" || touch failed
	done
	cat log?
	[ ! -e failed ] || fail "not everything survived"
	cd "$tmp" || exit 99
}

# fill_base: the folder top/base, with files that stay and files that go, between them: what is
# then written there shares blocks of the overlay with what stays.
fill_base() {
	mkdir -p top/base
	python3 -c 'import random
rnd = random.Random(2)
for n in range(150):
    for what in "stay", "go":
        open("top/base/%s%d" % (what, n), "wb").write(rnd.randbytes(rnd.randrange(1, 6000)))'
}
