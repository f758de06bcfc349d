#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Cue sheets of discs with data and audio, in one file or several: the disk is the data at its
# addresses, the tracks are nodes beside it that stay read-only, and as they are, under an overlay.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-formats.sh" || exit 99
. "${srcdir:-.}/tests/lib-optical.sh" || exit 99
requires_fuse
requires xorriso python3 bchunk

small_iso disc.iso
py <<'PY'
import cdimage as cd
iso = cd.read("disc.iso")
n = len(iso) // 2048
time = lambda sector: "%02d:%02d:%02d" % cd.msf(sector)
one, two = cd.noise(2352 * 40), cd.noise(2352 * 50, 2)
gap = b"\xee" * 2352 * 10
cd.write("1", iso)
cd.write("2", one)
cd.write("3", two)
cd.write("mixed.bin", *cd.raw(iso), one, two)
cd.write("sizes.bin", iso, gap, one, two)
with open("mixed.cue", "w") as f:
    f.write(f'''FILE "mixed.bin" BINARY
  TRACK 01 MODE1/2352
    INDEX 01 00:00:00
  TRACK 02 AUDIO
    PREGAP 00:02:00
    INDEX 01 {time(n)}
  TRACK 03 AUDIO
    INDEX 00 {time(n + 30)}
    INDEX 01 {time(n + 40)}
''')
# Sectors of two sizes in one file: what comes after the first counts from its pregap.
with open("sizes.cue", "w") as f:
    f.write(f'''FILE "sizes.bin" BINARY
  TRACK 01 MODE1/2048
    INDEX 01 00:00:00
  TRACK 02 AUDIO
    INDEX 00 {time(n)}
    INDEX 01 {time(n + 10)}
  TRACK 03 AUDIO
    INDEX 01 {time(n + 50)}
''')
# Data behind audio: where it stands on the disk comes from the sheet, and with raw sectors from
# them, who know of a gap that the sheet says nothing of.
for name, extra, sheet in (("computed", 0, "MODE1/2048"), ("stated", 11400, "MODE1/2352")):
    at = 90 + 10 + extra
    cd.write(f"{name}.bin", iso if name == "computed" else b"".join(cd.raw(iso, "mode1", at)))
    cd.write("audio.bin", one, two)
    with open(f"{name}.cue", "w") as f:
        f.write(f'''FILE "audio.bin" BINARY
  TRACK 01 AUDIO
    INDEX 01 00:00:00
  TRACK 02 AUDIO
    INDEX 01 00:00:40
FILE "{name}.bin" BINARY
  TRACK 03 {sheet}
    PREGAP 00:00:10
    INDEX 01 00:00:00
''')
    cd.write(f"{name}.raw", iso[:32 * 2048], bytes((at - 32) * 2048), iso)
# The tracks of a Video CD: the first has the filesystem, the second what it points to.
vcd = cd.raw(iso, "mixed")
cd.write("vcd.bin", *vcd)
with open("vcd.cue", "w") as f:
    f.write(f'''FILE "vcd.bin" BINARY
  TRACK 01 MODE2/2352
    INDEX 01 00:00:00
  TRACK 02 MODE2/2352
    INDEX 00 {time(60)}
    INDEX 01 {time(70)}
''')
cd.write("v1", iso[:70 * 2048])
cd.write("v2", iso[70 * 2048:])
PY
for cue in mixed sizes; do
	same_disk $cue.cue disc.iso
	same_tracks $cue.cue 1 2 3
done
sed '/INDEX 00/d' mixed.cue >plain.cue
bchunk mixed.bin plain.cue t >log 2>&1 || fail "bchunk: $(cat log)"
same_tracks plain.cue t01.iso t02.cdr t03.cdr
for cue in computed stated; do
	same_disk $cue.cue $cue.raw
	same_tracks $cue.cue 2 3 1
	expect 0 "$PLATTER" info --json $cue.cue
	same "what is on $cue" "$(json out 'j["fs"]["label"]')" PLATTER
done
same_disk vcd.cue disc.iso
same_tracks vcd.cue v1 v2
expect 0 "$PLATTER" cat vcd.cue dir/deeper/data.bin
same_bytes out iso-source/dir/deeper/data.bin

mkdir mnt
attach --overlay=o mixed.cue mnt
poke mnt/disk 0 'written to the disk'
for n in 1 2 3; do
	same "mode of track $n" "$(stat -c %a mnt/tracks/$n)" 444
	! poke mnt/tracks/$n 0 x 2>/dev/null || fail "track $n could be written to"
	same_bytes mnt/tracks/$n $n
done
same "the disk" "$(peek mnt/disk 0 19)" 'written to the disk'
detach mnt
