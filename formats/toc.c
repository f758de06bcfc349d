/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Toc files: the texts in which cdrdao describes a disc (cdrdao(1), "TOC FILES").
 *
 *   CD_ROM
 *   TRACK MODE1_RAW                          the mode says how long sectors are in the files
 *   DATAFILE "data.bin" 12:34:56             what the track consists of, one after the other
 *   TRACK AUDIO
 *   SILENCE 00:02:00
 *   START                                    what came so far is the pregap
 *   FILE "data.bin" #529200000 0 03:00:00    a byte offset, then start and length
 *
 * Samples are big-endian in files that are not called *.wav, and little-endian in those that are;
 * SWAP turns that round. As in a cue sheet, a track reaches from its index 1 to the next one's, so
 * that the pregap of a track belongs to the one before it, if that is of the same kind. What PREGAP
 * says stands nowhere and only moves addresses.
 */
#include "config.h"

#include "toc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ondisk.h"

/* The files, opened. */
struct sources {
	struct dev *files[TOC_FILES_MAX];
	struct cd_samples samples[TOC_FILES_MAX]; /* of a WAVE file; else all of it */
	bool wave[TOC_FILES_MAX];
};

static bool is_wave(const char *name)
{
	size_t n = strlen(name);

	return n > 4 && strcasecmp(name + n - 4, ".wav") == 0;
}

static int open_files(struct toc *toc, struct image *image, struct sources *src,
                      struct platter_error *err)
{
	int r = 0;

	for (int i = 0; i < toc->nfiles && !r; i++) {
		r = cd_file_open(image, toc->files[i], &src->files[i], err);
		if (r)
			break;
		src->samples[i].length = src->files[i]->size;
		src->wave[i] = is_wave(toc->files[i]);
		if (src->wave[i])
			r = cd_wave(src->files[i], &src->samples[i], err);
		if (r)
			err_prefix(err, "file \"%s\"", toc->files[i]);
	}
	return r;
}

/* Where what a statement says stands: *off and *length in *file. */
static int resolve(const struct toc *toc, const struct sources *src, const struct toc_statement *s,
                   struct dev **file, uint64_t *off, uint64_t *length, struct platter_error *err)
{
	uint64_t have;

	*file = NULL;
	*off = 0;
	*length = s->length;
	if (s->file < 0)
		return 0;
	*file = src->files[s->file];
	have = src->samples[s->file].length;
	*off = s->offset + s->start;
	if (s->rest)
		*length = have - min64(*off, have);
	if (!range_ok(*off, *length, have))
		return err_set(err, EIO,
		               "line %u: %llu bytes at %llu of file \"%s\", which has %llu",
		               s->line, (unsigned long long)*length, (unsigned long long)*off,
		               toc->files[s->file], (unsigned long long)have);
	*off += src->samples[s->file].off;
	return 0;
}

/* How far a track has come. */
struct progress {
	struct cd_disc *disc;
	uint64_t address; /* of the track's own beginning, its pregap included */
	uint64_t pregap;  /* bytes */
	uint64_t done;    /* bytes */
	bool begun;       /* the pregap is over */
};

static int begin_track(const struct toc *toc, int i, struct progress *p, struct platter_error *err)
{
	const struct toc_track *track = &toc->tracks[i];

	p->begun = true;
	return cd_disc_track(p->disc, (uint32_t)i + 1, 1, track->layout.audio,
	                     p->address + p->done / track->layout.stored, err);
}

static int add_piece(const struct toc *toc, int i, const struct toc_statement *s,
                     const struct sources *src, struct progress *p, struct platter_error *err)
{
	const struct toc_track *track = &toc->tracks[i];
	struct cd_layout layout = track->layout;
	uint64_t off, length, head = 0;
	struct dev *file;
	int r = resolve(toc, src, s, &file, &off, &length, err);

	if (r)
		return r;
	if (file)
		layout.swapped = layout.audio && src->wave[s->file] == s->swapped;
	if (!p->begun) {
		head = min64(length, p->pregap - p->done);
		/* There has to be a track before it, and of its kind. */
		if (i && toc->tracks[i - 1].layout.stored == layout.stored &&
		    track[-1].layout.audio == layout.audio)
			r = cd_disc_piece(p->disc, file, off, head, &layout, err);
		p->done += head;
		if (!r && p->done == p->pregap && head < length)
			r = begin_track(toc, i, p, err);
	}
	if (r || head == length)
		return r;
	p->done += length - head;
	return cd_disc_piece(p->disc, file, off + head, length - head, &layout, err);
}

/* The bytes of a track's pregap. */
static int pregap_of(const struct toc *toc, const struct toc_track *track,
                     const struct sources *src, uint64_t *bytes, struct platter_error *err)
{
	*bytes = track->start;
	for (int i = 0; i < track->start_after; i++) {
		uint64_t off, length;
		struct dev *file;
		int r = resolve(toc, src, &toc->statements[track->first + i], &file, &off, &length,
		                err);

		if (r)
			return r;
		*bytes += length;
	}
	return 0;
}

static int add_track(const struct toc *toc, int i, const struct sources *src, struct progress *p,
                     struct platter_error *err)
{
	const struct toc_track *track = &toc->tracks[i];
	int r = pregap_of(toc, track, src, &p->pregap, err);

	p->done = 0;
	p->begun = false;
	p->address += track->unstored;
	if (!r && p->pregap == 0)
		r = begin_track(toc, i, p, err);
	for (int k = 0; k < track->count && !r; k++)
		r = add_piece(toc, i, &toc->statements[track->first + k], src, p, err);
	if (!r && !p->begun)
		r = err_set(err, EINVAL, "line %u: the track is not longer than its pregap",
		            track->line);
	p->address += (p->done + track->layout.stored - 1) / track->layout.stored;
	return r;
}

static int make_disc(struct toc *toc, struct image *image, struct platter_error *err)
{
	struct sources *src = calloc(1, sizeof *src);
	struct progress p = {.disc = cd_disc_new()};
	int r = src && p.disc ? open_files(toc, image, src, err)
	                      : err_set(err, ENOMEM, "no memory");

	for (int i = 0; i < toc->ntracks && !r; i++)
		r = add_track(toc, i, src, &p, err);
	if (!r)
		r = cd_disc_finish(p.disc, image, err);
	if (r)
		cd_disc_close(p.disc);
	free(src);
	return r;
}

static int toc_open(struct image *image, struct platter_error *err)
{
	struct toc *toc = calloc(1, sizeof *toc);
	int r = toc ? cd_sheet_read(image, &toc->sheet, err) : err_set(err, ENOMEM, "no memory");

	if (!r)
		r = toc_probe(&toc->sheet) ? toc_parse(toc, err) : DRIVER_NOT_MINE;
	if (!r)
		r = make_disc(toc, image, err);
	if (toc) {
		cd_sheet_free(&toc->sheet);
		for (int i = 0; i < toc->nfiles; i++)
			free(toc->files[i]);
	}
	free(toc);
	return r;
}

const struct format_driver format_toc = {
	.name = "toc",
	.id = 16,
	.open = toc_open,
	.map = cd_disc_map,
	.close = cd_disc_close,
};
