#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Cue sheets that cannot be used: the message says what is wrong, in which line or file; texts that
# are no cue sheets are raw. A catalog number or command that is wrong is no reason to refuse.
. "${srcdir:-.}/tests/lib.sh" || exit 99
. "${srcdir:-.}/tests/lib-formats.sh" || exit 99
. "${srcdir:-.}/tests/lib-optical.sh" || exit 99
requires python3

head -c $((2352 * 100)) /dev/zero >x.bin
py <<'PY'
import cdimage as cd
cd.write("mono.wav", cd.wave(cd.noise(2352), channels=1))
cd.write("fast.wav", cd.wave(cd.noise(2352), rate=48000))
cd.write("good.wav", cd.wave(cd.noise(2352)))
cd.write("cut.wav", cd.wave(cd.noise(2352))[:-1000])
cd.write("8.aiff", cd.aiff(cd.noise(2352), bits=8))
PY

# bad TEXT LINE...: the sheet of these lines is refused, saying TEXT.
bad() {
	local text=$1
	shift
	printf '%s\n' "$@" >bad.cue
	refuses bad.cue "$text"
}

file='FILE "x.bin" BINARY' track='TRACK 01 MODE1/2352' index='INDEX 01 00:00:00'
bad 'line 1: a file of type MP3 cannot be read' 'FILE "x.mp3" MP3' "$track" "$index"
bad 'line 1: FILE, expected a name and a type' 'FILE x.bin' "$track" "$index"
bad 'line 2: TRACK before FILE' 'TITLE x' "$track" "$file" "$index"
bad 'line 2: track "100", expected 1 to 99' "$file" 'TRACK 100 AUDIO' "$index"
bad 'line 4: track 1 after track 1' "$file" "$track" "$index" "$track" "$index"
bad 'line 2: track mode "MODE3/2352" is not known' "$file" 'TRACK 01 MODE3/2352' "$index"
bad 'line 2: track mode "MODE1/2047" is not known' "$file" 'TRACK 01 MODE1/2047' "$index"
bad 'line 3: time "00:00:75", expected mm:ss:ff' "$file" "$track" 'INDEX 01 00:00:75'
bad 'line 3: time "00:60:00", expected mm:ss:ff' "$file" "$track" 'INDEX 01 00:60:00'
bad 'line 3: time "", expected mm:ss:ff' "$file" "$track" 'INDEX 01'
bad 'line 3: index "100" after index -1' "$file" "$track" 'INDEX 100 00:00:00'
bad 'line 4: index "1" after index 1' "$file" "$track" "$index" 'INDEX 1 00:01:00'
bad 'line 4: time 00:00:10 is before' "$file" "$track" 'INDEX 00 00:00:20' 'INDEX 01 00:00:10'
bad 'line 5: time 00:00:10 is before' "$file" "$track" 'INDEX 01 00:00:20' 'TRACK 2 AUDIO' \
	'INDEX 01 00:00:10'
bad 'line 2: INDEX before TRACK' "$file" "$index" "$track"
bad 'line 3: track 1 has no INDEX 01' "$file" "$track" 'TRACK 02 AUDIO' "$index"
bad 'line 2: track 1 has no INDEX 01' "$file" "$track"
bad 'line 3: a session after session 1' "$file" "$track" 'REM SESSION 0' "$index"
bad 'line 3: time "1", expected mm:ss:ff' "$file" "$track" 'PREGAP 1' "$index"
bad 'line 2: track 1 begins at byte 237552 of file "x.bin", which has 235200' "$file" "$track" \
	'INDEX 01 00:01:26'
bad 'no track holds anything' "$file" "$track" 'INDEX 01 00:01:25'
bad 'file "y.bin": not in the image'"'"'s folder' 'FILE y.bin BINARY' "$track" "$index"
bad 'file "/etc/passwd": another folder' 'FILE /etc/passwd BINARY' "$track" "$index"
bad 'file "../x.bin": a path' 'FILE ../x.bin BINARY' "$track" "$index"
bad 'line 2: a data track in a file of sound' 'FILE good.wav WAVE' "$track" "$index"
for f in mono:'1 channels' fast:'48000 a second' cut:'2352 bytes of samples, of which 1352'; do
	bad "${f#*:}" "FILE ${f%%:*}.wav WAVE" 'TRACK 01 AUDIO' "$index"
done
bad 'no WAVE file' 'FILE x.bin WAVE' 'TRACK 01 AUDIO' "$index"
bad 'an AIFF file of other samples' 'FILE 8.aiff AIFF' 'TRACK 01 AUDIO' "$index"
ln -s x.bin link.bin
bad 'link.bin' 'FILE link.bin BINARY' "$track" "$index"
refuses bad.cue 'not opened, because of --chain=no' --chain=no

printf '%s\n' 'CATALOG 123' 'NOVELTY yes' "$file" "$track" "$index" >fine.cue
expect 0 "$PLATTER" info fine.cue
for text in 'FILE not a sheet' 'TRACK 01 MODE1/2352' $'hello\nFILE "x.bin" BINARY\nTRACK 01 AUDIO'; do
	printf '%s\n' "$text" >text.cue
	expect 0 "$PLATTER" info --json text.cue
	same "$text" "$(json out 'j["image"]["format"]')" raw
done
{ cat fine.cue; head -c 1048576 /dev/zero | tr '\0' '\n'; } >long.cue
expect 0 "$PLATTER" info --json long.cue
same "too long" "$(json out 'j["image"]["format"]')" raw
expect 32 "$PLATTER" info --format cue long.cue
