#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# explore-overlay finds what breaks the overlay's promises: each of the protocol bugs below, put
# into a copy of the source by sed, has to be seen to lose something, and the source as it is not.
#
#   overlay-mutants.sh [NAME...]    only these
#
# A new rule of the protocol gets its mutant here. One that is not found means that the explorer
# looks too little, or that the rule is not needed; both are worth knowing.
. "${srcdir:-.}/tests/lib.sh" || exit 99

: "${CC:=cc}"
command -v "$CC" >/dev/null || skip "needs a C compiler"
[ -f "$builddir/config.h" ] || skip "needs the build's config.h"

names=() files=() edits=()

# mutant NAME FILE EDIT: the sed script EDIT puts the bug into src/FILE.
mutant() {
	names+=("$1") files+=("$2") edits+=("$3")
}

in_function() {
	printf '/^[a-z].*[ *]%s(.*[^;]$/,/^}/ { %s\n}' "$1" "$2"
}

in_engine() {
	mutant "$1" overlay.c "$(in_function "$2" "$3")"
}

in_format() {
	mutant "$1" overlay-header.c "$(in_function "$2" "$3")"
}

# ---- a flush: data, then the map ----

in_engine data-not-synced-before-its-bits flush_now \
	's/r = sync_io(o); \/\* I1.*/r = n ? 0 : sync_io(o);/'
in_engine map-written-before-data-is-synced flush_now '
	s/r = sync_io(o); \/\* I1.*/r = write_snapshot(o, n);/
	s/r = write_snapshot(o, n);$/&/
	/unsynced = 0;/,$ s/r = write_snapshot(o, n);/r = sync_io(o);/'
in_engine map-not-synced flush_now \
	's/r = sync_io(o); \/\* the map.*/r = 0;/'
in_engine snapshot-taken-after-the-sync write_snapshot '
	/int r = 0;/ a\
	for (size_t k = 0; k < n; k++) {\
		struct ovl_page *s = &o->snapshot[k];\
		memcpy(s->bits, o->map_pages[le64_get(s->index)].bits, sizeof s->bits);\
		s->crc = le32_put(crc32c((char *)s + 4, sizeof *s - 4));\
	}'
in_engine page-taken-for-clean-after-it-was-copied take_snapshot '
	/__atomic_exchange_n(&p->dirty/d
	s/^\t*n++;/p->dirty = 0; &/'
in_engine unsynced-forgotten-after-the-sync flush_now '
	s/= __atomic_exchange_n(&o->shared->unsynced.*/= o->shared->unsynced;/
	s/^\tif (pages)$/\to->shared->unsynced = 0;\n&/'
in_engine overwrite-needs-no-sync write_range '/mark_unsynced(o);/d'
in_engine failed-sync-is-forgotten fail '/__atomic_store_n/d'
in_engine flush-joined-that-began-before overlay_flush \
	's/want = o->started + 1;/want = o->started + !o->flushing;/'

# ---- slots ----

in_engine one-slot settle 's/&p->slot, !p->slot/\&p->slot, p->slot/'
in_engine both-slots-written-in-one-flush flush_now '
	/r = write_snapshot(o, n);/ a\
	for (size_t k = 0; k < n && !r; k++)\
		r = o->io->ops->pwrite(o->io, &o->snapshot[k], OVL_PAGE_SIZE,\
			o->map[o->shared->pages[le64_get(o->snapshot[k].index)].slot] +\
			le64_get(o->snapshot[k].index) * OVL_PAGE_SIZE);'
in_engine sequence-number-stays take_snapshot \
	's/le64_put(p->seq + 1)/le64_put(p->seq ? p->seq : 1)/'
in_engine sequence-number-lost-at-opening load '/p->seq = le64_get/d'
in_engine torn-image-not-wiped flush_now 's/wipe_torn(o, n)/0/'
in_format older-slot-chosen ovl_page_choose \
	's/le64_get(pair\[1\].seq) > le64_get(pair\[0\].seq)/le64_get(pair[1].seq) < le64_get(pair[0].seq)/'
in_format page-without-checksum ovl_page_sound 's/le32_get(page->crc) == .*/true;/'

# ---- blocks ----

in_engine no-copy-up write_with_copy_up \
	's/return .*/return o->io->ops->pwrite(o->io, block + (off - start), len, o->data_off + off);/'
in_engine bit-set-before-the-data fill_granule \
	's/if (!r && len) {/set_bits(o, block, mask);\n&/'
in_engine absent-block-zeroed-without-punch fill_granule \
	's/: o->io->ops->punch(.*/: 0;/'
in_engine absent-granules-zeroed-without-punch zero_granules \
	's/r = o->io->ops->punch(.*/r = 0;/'

# ---- the header ----

in_engine clean-mark-before-the-flush overlay_finish \
	's/settle(o, false);/&\nput_header(o, OVL_CLEAN);/'
in_engine closed-without-flush overlay_finish 's/overlay_flush(o)/0/'
in_engine open-mark-not-synced put_header 's/r = o->io->ops->sync(o->io);/r = 0;/'
in_engine header-of-a-killed-process-taken-for-durable overlay_begin \
	's/r = o->io->ops->sync(o->io);/r = 0;/'
in_format older-header-chosen ovl_header_read \
	's/le64_get(pair\[1\].hseq) > le64_get/le64_get(pair[1].hseq) < le64_get/'

# ---- the supervisor, after the process that served was killed ----

in_engine supervisor-takes-a-broken-flush-for-done overlay_finish \
	's/settle(o, false)/settle(o, true)/'
in_engine supervisor-forgets-pages-that-were-flushed overlay_finish '/settle(o, false)/d'
in_engine supervisor-misses-a-failed-sync overlay_finish \
	's/o->io->ops->sync_anew(o->io);/0;/'
in_engine supervisor-sees-a-failed-sync-too-late overlay_finish '
	s/: o->io->ops->sync_anew(o->io);/: 0;/
	s/r = put_header/r = o->io->ops->sync_anew(o->io) ?: put_header/'
# Between two instructions of the killed process; yama may forbid all stepping.
if [ "$(cat /proc/sys/kernel/yama/ptrace_scope 2>/dev/null)" != 3 ]; then
	in_engine page-neither-dirty-nor-being-flushed take_snapshot '
		/__atomic_store_n(&p->flushing, 1/d
		s/__atomic_exchange_n(&p->dirty.*/&\n__atomic_store_n(\&p->flushing, 1, __ATOMIC_RELEASE);/'
	in_engine slot-changed-before-its-sequence-number settle '
		/__atomic_store_n(&p->seq, /d
		s/__atomic_store_n(&p->slot, .*/&\n__atomic_store_n(\&p->seq, p->seq + 1, __ATOMIC_RELEASE);/'
fi

# Not here, since nothing can come of them: overlay_finish without mark_unsynced (sync_anew syncs
# as well); a header that is written over the one that holds (the older one, which a torn write
# leaves, says at those moments what is true as well).

# ---- building and running them ----

cflags=(-std=gnu11 -O1 -pthread -I"$builddir" -I"$srcdir/src" -I"$srcdir/tests")
sources=("$srcdir"/tests/explore-*.c "$srcdir"/tests/{crashio,testdev}.c)
sources+=("$srcdir"/src/{overlay,overlay-header,crc32c,dev,err}.c)

build_objects() {
	local source
	mkdir good
	for source in "${sources[@]}"; do
		"$CC" "${cflags[@]}" -c -o "good/$(basename "$source" .c).o" "$source" || return
	done
}

link_explorer() { # PROGRAM OBJECT...
	local program=$1
	shift
	"$CC" -pthread -Wl,--wrap=crc32c,--wrap=mmap,--wrap=pthread_cond_wait -o "$program" "$@"
}

# Build mutant number N and explore it; one line for the report, 'ok' or 'BAD' first.
try() {
	local name=${names[$1]} file=${files[$1]} object out others=()
	for object in good/*.o; do
		[ "$object" = "good/${file%.c}.o" ] || others+=("$object")
	done
	sed "${edits[$1]}" "$srcdir/src/$file" >"$name.c"
	if cmp -s "$name.c" "$srcdir/src/$file"; then
		echo "BAD $name: does not apply any more"
	elif ! "$CC" "${cflags[@]}" -c -o "$name.o" "$name.c" 2>"$name.err" ||
		! link_explorer "./$name" "$name.o" "${others[@]}" 2>>"$name.err"; then
		echo "BAD $name: does not build: $(grep -m 1 -E 'error|undefined' "$name.err")"
	else
		out=$(timeout 300 "./$name" 200 1 1000000 2>&1)
		case $out in
		*LOST*) echo "ok $name: ${out#*LOST }" ;;
		*) echo "BAD $name: not found: $out" ;;
		esac
	fi
}

wanted() {
	[ ${#only[@]} = 0 ] || [[ " ${only[*]} " = *" $1 "* ]]
}

only=("$@")
build_objects || fail "the explorer does not build"
link_explorer ./good/explore good/*.o || fail "the explorer does not link"
out=$(./good/explore 3) || fail "without a mutant: $out"
echo "   no mutant: $out"

for i in "${!names[@]}"; do
	wanted "${names[i]}" || continue
	while [ "$(jobs -rp | wc -l)" -ge 2 ]; do
		wait -n
	done
	try "$i" >"${names[i]}.report" &
done
wait
cat ./*.report
! grep -h ^BAD ./*.report >bad || fail "$(wc -l <bad) mutants: $(cut -d: -f1 bad | tr '\n' ' ')"
