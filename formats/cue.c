/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cue sheets: a text that says which tracks a disc has and which files hold them (CDRWIN User's
 * Guide, appendix A, "Cue Sheet Commands"; REM SESSION as dumpers of discs write it).
 *
 *   FILE "disc.bin" BINARY            what the following tracks are in
 *     TRACK 01 MODE1/2352             mode and bytes of a sector
 *       INDEX 01 00:00:00             where in the file it begins, in minutes, seconds and frames
 *     TRACK 02 AUDIO
 *       INDEX 00 12:34:56             its pregap, if that is in the file
 *       INDEX 01 12:36:56
 *
 * PREGAP and POSTGAP are silence that no file holds: they only move the addresses of what follows.
 * A track reaches from its index 1 to the next one's, as drives count it; before a track of another
 * kind it ends where the pregap of that begins.
 *
 * The sheet has no magic. It is taken for one when it is a text that begins with a command and has
 * FILE and TRACK lines as above.
 */
#include "config.h"

#include "cue.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "ondisk.h"

/* ---- files ---- */

static int open_file(struct image *image, const struct cue_file *f, struct dev **file,
                     struct cd_samples *samples, struct platter_error *err)
{
	int r = cd_file_open(image, f->name, file, err);

	if (r)
		return r;
	*samples = (struct cd_samples){.length = (*file)->size};
	if (f->type == FILE_WAVE)
		r = cd_wave(*file, samples, err);
	else if (f->type == FILE_AIFF)
		r = cd_aiff(*file, samples, err);
	samples->swapped = f->type == FILE_MOTOROLA || f->type == FILE_AIFF;
	if (r)
		err_prefix(err, "file \"%s\"", f->name);
	return r;
}

/* Whether the pregap of b, between the two, can be part of a. */
static bool same_kind(const struct cue_track *a, const struct cue_track *b)
{
	return a->layout.stored == b->layout.stored && a->layout.audio == b->layout.audio &&
	       a->session == b->session;
}

/* Where a track takes over from the one before it in its file. */
static uint64_t begins(const struct cue_track *track)
{
	return track->file0 == track->file ? track->index0 : track->index1;
}

/*
 * Where the sectors of a file stand. A time in a file counts sectors, and the bytes of those differ
 * where tracks of several kinds share it.
 */
struct place {
	uint64_t sector, off; /* of the beginning of the track */
	uint64_t address;     /* of the file's first sector on the disc, gaps so far included */
};

static int add_track(struct cue *cue, struct cd_disc *disc, int i, struct dev *file,
                     const struct cd_samples *samples, const struct place *place,
                     struct platter_error *err)
{
	struct cue_track *track = &cue->tracks[i], *next = track + 1;
	uint32_t stored = track->layout.stored;
	uint64_t off, length;
	int r;

	if (cue->files[track->file].type >= FILE_WAVE && !track->layout.audio)
		return err_set(err, EINVAL, "line %u: a data track in a file of sound",
		               track->line);
	track->layout.swapped = track->layout.audio && samples->swapped;
	off = place->off + (track->index1 - place->sector) * stored;
	if (off > samples->length)
		return err_set(err, EIO,
		               "line %u: track %u begins at byte %llu of file \"%s\", which has "
		               "%llu",
		               track->line, track->number, (unsigned long long)off,
		               cue->files[track->file].name, (unsigned long long)samples->length);
	length = samples->length - off;
	if (i + 1 < cue->ntracks && next->file == track->file)
		length = min64(length,
		               stored * ((same_kind(track, next) ? next->index1 : begins(next)) -
		                         track->index1));
	r = cd_disc_track(disc, track->number, track->session, track->layout.audio,
	                  place->address + track->index1, err);
	return r ? r : cd_disc_piece(disc, file, samples->off + off, length, &track->layout, err);
}

/*
 * The gap of addresses in front of a track that no file holds. The first 150 sectors of the first
 * track's pregap come before address 0; of audio, a pregap in the file is what a drive can read,
 * which begins there. (What goes below 0 here comes back when the index is added.)
 */
static uint64_t gap_before(const struct cue *cue, int i)
{
	const struct cue_track *track = &cue->tracks[i], *before = track - 1;
	uint64_t gap = track->pregap;

	if (i == 0 && !track->layout.audio && begins(track) + CD_PREGAP <= track->index1)
		return gap - CD_PREGAP;
	if (i == 0)
		return gap - min64(gap, CD_PREGAP);
	gap += before->postgap;
	if (track->session != before->session) {
		gap += before->session == 1 ? CD_FIRST_GAP : CD_NEXT_GAP;
		if (!track->pregap && track->file0 < 0)
			gap += CD_PREGAP;
	}
	return gap;
}

/* The tracks of one file, from *i on. */
static int add_file(struct cue *cue, struct image *image, struct cd_disc *disc, int *i,
                    uint64_t *address, struct platter_error *err)
{
	const struct cue_track *track = &cue->tracks[*i];
	struct place place = {.address = *address};
	struct cd_samples samples;
	struct dev *file;
	uint32_t stored = track->layout.stored;
	int f = track->file, r = open_file(image, &cue->files[f], &file, &samples, err);

	for (; !r && *i < cue->ntracks && cue->tracks[*i].file == f; ++*i) {
		track = &cue->tracks[*i];
		place.off += (begins(track) - place.sector) * stored;
		place.sector = begins(track);
		place.address += gap_before(cue, *i);
		stored = track->layout.stored;
		r = add_track(cue, disc, *i, file, &samples, &place, err);
	}
	if (!r) {
		uint64_t rest = samples.length - min64(place.off, samples.length);

		*address = place.address + place.sector + (rest + stored - 1) / stored;
		if (!track->layout.audio && rest % stored)
			image_note(image, "file \"%s\": its last %u bytes are no whole sector",
			           cue->files[f].name, (unsigned)(rest % stored));
	}
	return r;
}

/* ---- the driver ---- */

static bool is_cue(const struct cd_sheet *sheet)
{
	static const char *const commands[] = {"CATALOG",   "CDTEXTFILE", "FILE",
	                                       "PERFORMER", "SONGWRITER", "TITLE"};
	const char *begin = cd_sheet_begin(sheet, "REM"), *rest;

	if (!begin || !cd_sheet_find(sheet, "FILE", &rest) ||
	    !cd_sheet_find(sheet, "TRACK", &rest) || !isdigit((unsigned char)*rest))
		return false;
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (cd_line_is(begin, commands[i], &rest))
			return true;
	return false;
}

static int make_disc(struct cue *cue, struct image *image, struct platter_error *err)
{
	struct cd_disc *disc = cd_disc_new();
	uint64_t address = 0;
	int r = disc ? 0 : err_set(err, ENOMEM, "no memory");

	for (int i = 0; i < cue->ntracks && !r;)
		r = add_file(cue, image, disc, &i, &address, err);
	if (!r)
		r = cd_disc_finish(disc, image, err);
	if (r)
		cd_disc_close(disc);
	return r;
}

static int cue_open(struct image *image, struct platter_error *err)
{
	struct cue *cue = calloc(1, sizeof *cue);
	int r = cue ? cd_sheet_read(image, &cue->sheet, err) : err_set(err, ENOMEM, "no memory");

	if (!r)
		r = is_cue(&cue->sheet) ? cue_parse(cue, image, err) : DRIVER_NOT_MINE;
	if (!r)
		r = make_disc(cue, image, err);
	if (cue)
		cd_sheet_free(&cue->sheet);
	free(cue);
	return r;
}

const struct format_driver format_cue = {
	.name = "cue",
	.id = 15,
	.open = cue_open,
	.map = cd_disc_map,
	.close = cd_disc_close,
};
