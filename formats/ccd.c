/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CloneCD's disc images: NAME.ccd, a text in sections that gives the disc's table of contents as a
 * drive does, NAME.img with every sector of 2352 bytes, and NAME.sub with their subchannels, which
 * are of no use here. There is no specification; the keys speak for themselves:
 *
 *   [Entry 3]                    [TRACK 1]
 *   Session=1                    MODE=1
 *   Point=0x01                   INDEX 0=...
 *   Control=0x04                 INDEX 1=0
 *   PLBA=0
 *
 * A point of 1 to 99 is a track, 0xa2 a session's lead-out. The image file holds what is between,
 * session after session without lead-out and lead-in. Whether the pregap of a later session is in
 * it, INDEX 1 (which counts from the session's beginning) says, and so do its sectors' headers,
 * which are believed. Of data or audio, Control decides; the mode is in the sectors.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cddisc.h"
#include "cdsheet.h"
#include "ondisk.h"

#define POINT_LEAD_OUT 0xa2
#define CONTROL_DATA   0x04

/* Entries of a table of contents: tracks and three for each session, of which there are no more. */
#define ENTRIES_MAX (4 * CD_TRACKS_MAX)

/* No address is as large; sums of some fit. */
#define VALUE_MAX ((int64_t)1 << 31)

enum section {
	SECTION_OTHER,
	SECTION_DISC,
	SECTION_ENTRY,
	SECTION_TRACK,
};

struct entry {
	int64_t session, point, control, address;
};

struct indexes {
	int64_t at[2];
	bool has[2];
};

struct ccd {
	struct cd_sheet sheet;
	struct entry entries[ENTRIES_MAX];
	size_t nentries;
	struct indexes indexes[CD_TRACKS_MAX + 1]; /* by track */
	enum section section;
	int64_t number; /* of the section */
	struct dev *img;
};

/* ---- text ---- */

/* A number in decimal or, with 0x, in hexadecimal. */
static bool value_get(const char *text, int64_t *out)
{
	char *end;

	if (!*text)
		return false;
	errno = 0;
	*out = strtoll(text, &end, strncasecmp(text, "0x", 2) == 0 ? 16 : 10);
	end += strspn(end, " \t");
	return !errno && !*end && *out >= -VALUE_MAX && *out <= VALUE_MAX;
}

static int parse_section(struct ccd *ccd, char *line, struct platter_error *err)
{
	char *end = strchr(line, ']'), *name = line + 1, *number;

	if (!end)
		return cd_sheet_error(&ccd->sheet, err, "a section without ]");
	*end = '\0';
	number = name + strcspn(name, " ");
	number += strspn(number, " ");
	ccd->section = SECTION_OTHER;
	if (strcasecmp(name, "Disc") == 0)
		ccd->section = SECTION_DISC;
	else if (strncasecmp(name, "Entry ", 6) == 0)
		ccd->section = SECTION_ENTRY;
	else if (strncasecmp(name, "TRACK ", 6) == 0)
		ccd->section = SECTION_TRACK;
	if (ccd->section < SECTION_ENTRY)
		return 0;
	if (!cd_number(number, 0, ENTRIES_MAX, &ccd->number) ||
	    (ccd->section == SECTION_TRACK &&
	     (ccd->number < 1 || ccd->number > (int64_t)CD_TRACKS_MAX)))
		return cd_sheet_error(&ccd->sheet, err, "section [%.32s]", name);
	if (ccd->section == SECTION_ENTRY) {
		if (ccd->nentries == ENTRIES_MAX)
			return cd_sheet_error(&ccd->sheet, err, "more than %u entries",
			                      ENTRIES_MAX);
		ccd->entries[ccd->nentries++] = (struct entry){0};
	}
	return 0;
}

static int parse_entry(struct ccd *ccd, const char *key, int64_t value, struct platter_error *err)
{
	struct entry *e = &ccd->entries[ccd->nentries - 1];

	if (strcasecmp(key, "Session") == 0)
		e->session = value;
	else if (strcasecmp(key, "Point") == 0)
		e->point = value;
	else if (strcasecmp(key, "Control") == 0)
		e->control = value;
	else if (strcasecmp(key, "PLBA") == 0)
		e->address = value;
	else
		return 0;
	if (strcasecmp(key, "Session") == 0 && (value < 1 || value > (int64_t)CD_TRACKS_MAX))
		return cd_sheet_error(&ccd->sheet, err, "session %lld, expected 1 to %u",
		                      (long long)value, CD_TRACKS_MAX);
	return 0;
}

static int parse_key(struct ccd *ccd, char *line, struct platter_error *err)
{
	char *equals = strchr(line, '='), *key = line;
	bool wanted = ccd->section != SECTION_OTHER;
	int64_t value;

	if (!equals)
		return cd_sheet_error(&ccd->sheet, err, "expected KEY=VALUE");
	*equals++ = '\0';
	equals += strspn(equals, " \t");
	/* ISRC, CATALOG and CD-TEXT are no numbers. */
	if (!wanted || !value_get(equals, &value)) {
		if (wanted && (strcasecmp(key, "PLBA") == 0 || strcasecmp(key, "Point") == 0 ||
		               strncasecmp(key, "INDEX ", 6) == 0))
			return cd_sheet_error(&ccd->sheet, err, "%.16s=%.24s is no number", key,
			                      equals);
		return 0;
	}
	if (ccd->section == SECTION_ENTRY)
		return parse_entry(ccd, key, value, err);
	if (ccd->section == SECTION_DISC && value && strcasecmp(key, "DataTracksScrambled") == 0)
		return cd_sheet_error(&ccd->sheet, err, "scrambled data tracks cannot be read");
	for (int i = 0; i < 2 && ccd->section == SECTION_TRACK; i++)
		if (strcasecmp(key, i ? "INDEX 1" : "INDEX 0") == 0) {
			ccd->indexes[ccd->number].at[i] = value;
			ccd->indexes[ccd->number].has[i] = true;
		}
	return 0;
}

static int parse(struct ccd *ccd, struct platter_error *err)
{
	char *line;
	int r = 0;

	while (!r && (line = cd_sheet_line(&ccd->sheet))) {
		line += strspn(line, " \t");
		if (*line == '[')
			r = parse_section(ccd, line, err);
		else if (*line && *line != ';')
			r = parse_key(ccd, line, err);
	}
	return r;
}

/* ---- layout ---- */

static const struct entry *find_entry(const struct ccd *ccd, int64_t session, int64_t point)
{
	for (size_t i = 0; i < ccd->nentries; i++)
		if (ccd->entries[i].point == point &&
		    (!session || ccd->entries[i].session == session))
			return &ccd->entries[i];
	return NULL;
}

static bool is_data(const struct entry *e)
{
	return e->control & CONTROL_DATA;
}

/* The first track of a number from `from` on. */
static const struct entry *next_track(const struct ccd *ccd, int64_t from)
{
	const struct entry *e = NULL;

	for (; from <= (int64_t)CD_TRACKS_MAX && !e; from++)
		e = find_entry(ccd, 0, from);
	return e;
}

static int states(struct dev *img, uint64_t sector, int64_t address, bool *stated,
                  struct platter_error *err)
{
	uint8_t header[CD_HEADER];
	uint64_t found, off = sector * CD_RAW_SECTOR;
	int r;

	*stated = false;
	if (!range_ok(off, sizeof header, img->size))
		return 0;
	r = dev_pread(img, header, sizeof header, off);
	if (r)
		return err_set(err, -r, "the header of sector %llu of the image cannot be read: %s",
		               (unsigned long long)sector, strerror(-r));
	*stated = cd_header_address(header, &found) && found == (uint64_t)address;
	return 0;
}

/* Sectors in the image file before a session's first track, after those of the session before. */
static int session_pregap(const struct ccd *ccd, const struct entry *track, uint64_t start,
                          uint64_t *pregap, struct platter_error *err)
{
	const struct indexes *index = &ccd->indexes[track->point];
	int64_t said = index->has[1] ? index->at[1] : 0;
	const uint64_t tries[] = {said > 0 ? (uint64_t)said : 0, 0, CD_PREGAP};

	*pregap = tries[0];
	for (size_t i = 0; i < sizeof tries / sizeof *tries && is_data(track); i++) {
		bool stated;
		int r = states(ccd->img, start + tries[i], track->address, &stated, err);

		if (r)
			return r;
		if (stated) {
			*pregap = tries[i];
			break;
		}
	}
	return 0;
}

/* The address that a track ends before. */
static int track_end(const struct ccd *ccd, const struct entry *track, const struct entry *next,
                     int64_t *end, struct platter_error *err)
{
	const struct entry *out = find_entry(ccd, track->session, POINT_LEAD_OUT);

	if (next && next->session == track->session) {
		const struct indexes *index = &ccd->indexes[next->point];

		*end = next->address;
		/* A pregap of another kind is no part of this. */
		if (is_data(track) != is_data(next) && index->has[0] && index->has[1] &&
		    index->at[0] < index->at[1])
			*end -= index->at[1] - index->at[0];
	} else if (out) {
		*end = out->address;
	} else {
		return err_set(err, EINVAL, "session %d has no lead-out", (int)track->session);
	}
	if (track->address < 0 || *end < track->address)
		return err_set(err, EINVAL, "track %d from sector %lld to %lld", (int)track->point,
		               (long long)track->address, (long long)*end);
	return 0;
}

static int add_tracks(struct ccd *ccd, struct cd_disc *disc, struct platter_error *err)
{
	const struct entry *track = next_track(ccd, 1), *first = NULL, *next;
	uint64_t start = 0, pregap; /* of the session's first track in the image file */
	int64_t last = 0;
	int r = 0;

	if (!track)
		return err_set(err, EINVAL, "there is no track");
	for (; track && !r; track = next) {
		struct cd_layout layout;
		int64_t end = 0;

		next = next_track(ccd, track->point + 1);
		r = track_end(ccd, track, next, &end, err);
		if (r)
			break;
		if (!first || first->session != track->session) {
			start += first ? (uint64_t)(last - first->address) : 0;
			r = session_pregap(ccd, track, start, &pregap, err);
			if (r)
				break;
			start += pregap;
			first = track;
		}
		if (track->address < first->address)
			return err_set(err, EINVAL, "track %d begins before track %d",
			               (int)track->point, (int)first->point);
		/* The mode is what the sectors say. */
		cd_layout_find(is_data(track) ? CD_MODE1 : CD_AUDIO, CD_RAW_SECTOR, &layout);
		r = cd_disc_track(disc, (uint32_t)track->point, (uint32_t)track->session,
		                  layout.audio, (uint64_t)track->address, err);
		if (!r)
			r = cd_disc_piece(disc, ccd->img,
			                  (start + (uint64_t)(track->address - first->address)) *
			                          CD_RAW_SECTOR,
			                  (uint64_t)(end - track->address) * CD_RAW_SECTOR, &layout,
			                  err);
		last = end;
	}
	return r;
}

/* ---- the driver ---- */

static int open_img(struct ccd *ccd, struct image *image, struct platter_error *err)
{
	const char *own = chain_name(image->chain), *dot = strrchr(own, '.');
	int stem = dot ? (int)(dot - own) : (int)strlen(own);
	char *name;
	int r;

	if (asprintf(&name, "%.*s.img", stem, own) < 0)
		return err_set(err, ENOMEM, "no memory");
	r = cd_file_open(image, name, &ccd->img, err);
	free(name);
	return r;
}

static int make_disc(struct ccd *ccd, struct image *image, struct platter_error *err)
{
	struct cd_disc *disc = cd_disc_new();
	int r = disc ? add_tracks(ccd, disc, err) : err_set(err, ENOMEM, "no memory");

	if (!r)
		r = cd_disc_finish(disc, image, err);
	if (r)
		cd_disc_close(disc);
	return r;
}

static int ccd_open(struct image *image, struct platter_error *err)
{
	struct ccd *ccd = calloc(1, sizeof *ccd);
	const char *begin;
	int r = ccd ? cd_sheet_read(image, &ccd->sheet, err) : err_set(err, ENOMEM, "no memory");

	if (!r) {
		begin = cd_sheet_begin(&ccd->sheet, ";");
		r = begin && strncasecmp(begin, "[CloneCD]", 9) == 0 ? parse(ccd, err)
		                                                     : DRIVER_NOT_MINE;
	}
	if (!r)
		r = open_img(ccd, image, err);
	if (!r)
		r = make_disc(ccd, image, err);
	if (ccd)
		cd_sheet_free(&ccd->sheet);
	free(ccd);
	return r;
}

const struct format_driver format_ccd = {
	.name = "ccd",
	.id = 19,
	.open = ccd_open,
	.map = cd_disc_map,
	.close = cd_disc_close,
};
