#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Cue sheets with one data track: sectors of every kind and size give the same disk, which is also
# what bchunk makes of the raw ones; the files on it can be browsed. Sheets may have CRLF, a BOM,
# lower case, and names in another case.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-formats.sh" || exit 99
. "${srcdir:-.}/tests/lib-optical.sh" || exit 99
requires_fuse
requires xorriso python3 bchunk

small_iso disc.iso
py <<'PY'
import cdimage as cd
iso = cd.read("disc.iso")
m1, m2, mixed = cd.raw(iso), cd.raw(iso, "mode2"), cd.raw(iso, "mixed")
for name, mode, parts in (
        ("a", "MODE1/2048", [iso]), ("b", "MODE1/2352", m1), ("c", "MODE2/2352", m2),
        ("d", "MODE2/2336", [s[16:] for s in m2]), ("e", "MODE2/2352", mixed),
        ("f", "MODE2/2336", [s[16:] for s in mixed]),
        ("g", "MODE1/2448", [s + b"q" * 96 for s in m1]), ("h", "MODE2/2368", [s + b"q" * 16 for s in m2]),
        ("i", "MODE2/2048", [iso]), ("j", "CDI/2352", m2), ("k", "MODE2/2332", [s[16:2348] for s in m2]),
        ("l", "MODE2/2324", [s[24:2348] for s in mixed]),
        # what a sector says of itself counts
        ("m", "MODE1/2352", m2), ("n", "MODE2/2352", m1)):
    cd.write(name + ".bin", *parts)
    with open(name + ".cue", "w") as f:
        f.write(f'FILE "{name}.bin" BINARY\n  TRACK 01 {mode}\n    INDEX 01 00:00:00\n')
with open("odd.cue", "wb") as f:
    f.write(b'\xef\xbb\xbfrem made by hand\r\n\r\nTitle "x\r\nfile  A b.BIN binary \r\n'
            b'\ttrack 1 mode1/2352\r\n\tflags dcp\r\n\tindex 0 0:0:0\r\n\tindex 1 0:0:0\r\n')
# The pregap of the first track ends at address 0, in the file or not.
with open("o.cue", "w") as f:
    f.write('FILE "a.bin" BINARY\nTRACK 01 MODE1/2048\nPREGAP 00:02:00\nINDEX 01 00:00:00\n')
cd.write("p.bin", bytes(150 * 2048), iso)
with open("p.cue", "w") as f:
    f.write('FILE "p.bin" BINARY\nTRACK 01 MODE1/2048\nINDEX 00 00:00:00\nINDEX 01 00:02:00\n')
PY
for cue in [a-p].cue; do
	same_disk "$cue" disc.iso
done
for name in b c e; do
	bchunk "$name.bin" "$name.cue" "$name-" >log 2>&1 || fail "bchunk: $(cat log)"
	same_disk "$name.cue" "$name-01.iso"
done
mv b.bin 'a b.bin'
same_disk odd.cue disc.iso
same_tracks odd.cue disc.iso

expect 0 "$PLATTER" cat odd.cue dir/deeper/data.bin
same_bytes out iso-source/dir/deeper/data.bin
mkdir mnt
mount_image e.cue mnt
diff -r mnt iso-source || fail "the files of e.cue"
detach mnt
expect 0 "$PLATTER" info --json c.cue
same "the tracks" "$(json out 'j["tracks"]')" \
	"[{'number': 1, 'type': 'data', 'size': $(stat -c %s disc.iso)}]"
same "the format" "$(json out 'j["image"]["format"]')" cue

# Opened directly, the file is raw.
expect 0 "$PLATTER" info --json c.bin
same "the format of the .bin" "$(json out 'j["image"]["format"]')" raw
