/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Alcohol 120%'s disc images: a small .mds file that describes the disc, and one or more .mdf files
 * with its sectors. There is no specification; the structures are known from what the program
 * writes (libmirage's image-mds.h and Aaru's Alcohol120.cs agree on them). All numbers are
 * little-endian, all offsets count from the beginning of the .mds file.
 *
 * The header leads to the sessions, each of them to blocks as a drive gives them of its table of
 * contents, of which those with a point of 1 to 99 are tracks. A track's pregap is not stored. Its
 * file is named in a footer, where "*.mdf" stands for the name of the .mds file itself. A track of
 * a DVD can go on in more files.
 *
 * Version 2 (.mdx, and .mds of later versions of the program) is encrypted.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cddisc.h"
#include "cdsheet.h"
#include "ondisk.h"
#include "text.h"

/* Files that tracks are in, all together; a DVD of two layers is cut in nine at most. */
#define FILES_MAX 128

/* Bytes of a file name that are looked at. */
#define NAME_MAX_BYTES 512

struct mds_header {
	uint8_t signature[16]; /* +0x00 "MEDIA DESCRIPTOR" */
	uint8_t version[2];    /* +0x10 */
	le16 medium;           /* +0x12 0x10 and above: a DVD */
	le16 sessions;         /* +0x14 */
	uint8_t unknown[58];
	le32 sessions_offset; /* +0x50 */
	le32 dpm_offset;      /* +0x54 measured positions of sectors */
};

_Static_assert(sizeof(struct mds_header) == 88, "the header");

struct mds_session {
	le32 start, end; /* +0x00 sectors, signed */
	le16 number;     /* +0x08 */
	uint8_t blocks;  /* +0x0a all of them */
	uint8_t others;  /* +0x0b those that are no tracks */
	le16 first_track, last_track;
	le32 unknown;
	le32 blocks_offset; /* +0x14 */
};

_Static_assert(sizeof(struct mds_session) == 24, "a session");

struct mds_block {
	uint8_t mode;       /* +0x00 the lower three bits count */
	uint8_t subchannel; /* +0x01 8: 96 bytes, which are part of sector_size */
	uint8_t adr_control, tno;
	uint8_t point; /* +0x04 */
	uint8_t times[7];
	le32 extra_offset; /* +0x0c of a mds_extra; a DVD's track: its sectors */
	le16 sector_size;  /* +0x10 */
	uint8_t unknown[18];
	le32 start_sector;  /* +0x24 address on the disc */
	le64 start_offset;  /* +0x28 in the (first) file */
	le32 files;         /* +0x30 */
	le32 footer_offset; /* +0x34 of a mds_footer for each */
	uint8_t unknown2[24];
};

_Static_assert(sizeof(struct mds_block) == 80, "a block");

struct mds_extra {
	le32 pregap, length; /* sectors */
};

struct mds_footer {
	le32 name_offset;
	le32 wide; /* not 0: the name is in UTF-16 */
	uint8_t unknown[8];
};

_Static_assert(sizeof(struct mds_footer) == 16, "a footer");

struct track {
	uint32_t number, session;
	struct cd_layout layout;
	uint64_t address, off;
	uint64_t length; /* bytes; UINT64_MAX: what the files have */
	unsigned first, count;
};

struct mds {
	struct image *image;
	struct cd_disc *disc;
	bool dvd;
	struct track tracks[CD_TRACKS_MAX];
	unsigned ntracks;
	struct file {
		char name[256];
		struct dev *dev;
	} files[FILES_MAX]; /* of the tracks, one after the other */
	unsigned nfiles;
};

static int table(struct mds *mds, uint64_t off, void *out, size_t size, const char *what,
                 struct platter_error *err)
{
	struct dev *file = mds->image->file;
	int r;

	if (!range_ok(off, size, file->size))
		return err_set(err, EIO, "%s at %llu, but the file has %llu bytes", what,
		               (unsigned long long)off, (unsigned long long)file->size);
	r = dev_pread(file, out, size, off);
	return r ? err_set(err, -r, "reading %s: %s", what, strerror(-r)) : 0;
}

/* ---- files ---- */

/* "*.mdf": the image's own name with that extension. */
static void own_name(struct mds *mds, char *name, size_t size)
{
	const char *own = chain_name(mds->image->chain), *dot = strrchr(own, '.');
	size_t stem = dot ? (size_t)(dot - own) : strlen(own);
	char extension[64];

	if (name[0] != '*')
		return;
	snprintf(extension, sizeof extension, "%.63s", name + 1);
	snprintf(name, size, "%.*s%s", (int)min64(stem, size), own, extension);
}

static int take_file(struct mds *mds, const struct mds_footer *footer, struct platter_error *err)
{
	struct file *file = &mds->files[mds->nfiles];
	uint64_t off = le32_get(footer->name_offset);
	uint8_t bytes[NAME_MAX_BYTES + 2] = {0};
	size_t size;
	int r;

	if (mds->nfiles == FILES_MAX)
		return err_set(err, E2BIG, "more than %d files", FILES_MAX);
	size = (size_t)min64(NAME_MAX_BYTES,
	                     mds->image->file->size - min64(off, mds->image->file->size));
	r = table(mds, off, bytes, size ? size : 1, "a file name", err);
	if (r)
		return r;
	size = strlen((char *)bytes);
	if (le32_get(footer->wide))
		text_from_utf16(bytes, NAME_MAX_BYTES / 2, false, file->name, sizeof file->name);
	else if (size < sizeof file->name)
		memcpy(file->name, bytes, size + 1);
	else
		return err_set(err, EINVAL, "a file name of more than %zu bytes",
		               sizeof file->name - 1);
	own_name(mds, file->name, sizeof file->name);
	mds->nfiles++;
	return 0;
}

static int take_files(struct mds *mds, const struct mds_block *block, struct track *track,
                      struct platter_error *err)
{
	uint64_t off = le32_get(block->footer_offset);
	uint32_t count = le32_get(block->files);
	int r = 0;

	if (count < 1 || count > FILES_MAX)
		return err_set(err, EINVAL, "track %u: %u files, expected 1 to %d", track->number,
		               count, FILES_MAX);
	track->first = mds->nfiles;
	track->count = count;
	for (uint32_t i = 0; i < count && !r; i++) {
		struct mds_footer footer;

		r = table(mds, off + i * sizeof footer, &footer, sizeof footer, "a footer", err);
		if (!r)
			r = take_file(mds, &footer, err);
	}
	return r;
}

static int open_files(struct mds *mds, struct platter_error *err)
{
	for (unsigned i = 0; i < mds->nfiles; i++) {
		unsigned same = 0;
		int r;

		while (strcmp(mds->files[same].name, mds->files[i].name) != 0)
			same++;
		if (same < i) {
			mds->files[i].dev = mds->files[same].dev;
			continue;
		}
		r = cd_file_open(mds->image, mds->files[i].name, &mds->files[i].dev, err);
		if (r)
			return r;
	}
	return 0;
}

/* ---- tracks ---- */

static int find_layout(const struct mds_block *block, struct track *track,
                       struct platter_error *err)
{
	/* 6 is not known. */
	static const int modes[8] = {CD_MODE2, CD_AUDIO, CD_MODE1, CD_MODE2,
	                             CD_MODE2, CD_MODE2, -1,       CD_MODE2};
	int mode = modes[block->mode & 7];
	uint32_t size = le16_get(block->sector_size);

	if (mode < 0)
		return err_set(err, EOPNOTSUPP, "track %u: mode %#x is not known", track->number,
		               block->mode);
	if (!cd_layout_find((enum cd_mode)mode, size, &track->layout))
		return err_set(err, EINVAL, "track %u: sectors of %u bytes in mode %#x",
		               track->number, size, block->mode);
	return 0;
}

static int take_track(struct mds *mds, const struct mds_block *block, uint32_t session,
                      struct platter_error *err)
{
	struct track *track = &mds->tracks[mds->ntracks];
	uint64_t sectors = le32_get(block->extra_offset);
	int r;

	if (mds->ntracks == CD_TRACKS_MAX)
		return err_set(err, E2BIG, "more than %u tracks", CD_TRACKS_MAX);
	*track = (struct track){
		.number = block->point,
		.session = session,
		.address = le32_get(block->start_sector),
		.off = le64_get(block->start_offset),
	};
	if (track->address > INT32_MAX)
		return err_set(err, EINVAL, "track %u: address %d", track->number,
		               (int)(int32_t)track->address);
	r = find_layout(block, track, err);
	if (!r && !mds->dvd && sectors) {
		struct mds_extra extra;

		r = table(mds, sectors, &extra, sizeof extra, "a track's length", err);
		sectors = r ? 0 : le32_get(extra.length);
	} else if (!r && !sectors) {
		sectors = UINT64_MAX;
	}
	track->length = sectors == UINT64_MAX ? sectors : sectors * track->layout.stored;
	if (!r)
		r = take_files(mds, block, track, err);
	mds->ntracks++;
	return r;
}

static int take_session(struct mds *mds, uint64_t off, uint32_t number, struct platter_error *err)
{
	struct mds_session session;
	int r = table(mds, off, &session, sizeof session, "a session", err);

	for (unsigned i = 0; !r && i < session.blocks; i++) {
		struct mds_block block;

		r = table(mds, (uint64_t)le32_get(session.blocks_offset) + i * sizeof block, &block,
		          sizeof block, "a track", err);
		if (!r && block.point >= 1 && block.point <= CD_TRACKS_MAX)
			r = take_track(mds, &block, number, err);
	}
	return r;
}

static int add_track(struct mds *mds, const struct track *track, struct platter_error *err)
{
	uint64_t rest = track->length, off = track->off;
	int r = cd_disc_track(mds->disc, track->number, track->session, track->layout.audio,
	                      track->address, err);

	for (unsigned i = track->first; i < track->first + track->count && !r; i++) {
		struct dev *file = mds->files[i].dev;
		uint64_t n;

		if (off > file->size)
			return err_set(err, EIO,
			               "track %u begins at %llu of \"%s\", which has %llu",
			               track->number, (unsigned long long)off, mds->files[i].name,
			               (unsigned long long)file->size);
		n = min64(rest, file->size - off);
		r = cd_disc_piece(mds->disc, file, off, n, &track->layout, err);
		rest -= n;
		off = 0;
	}
	if (!r && rest && track->length != UINT64_MAX)
		return err_set(err, EIO, "track %u has %llu bytes, of which \"%s\" lacks %llu",
		               track->number, (unsigned long long)track->length,
		               mds->files[track->first + track->count - 1].name,
		               (unsigned long long)rest);
	return r;
}

/* ---- the driver ---- */

static int make_disc(struct mds *mds, const struct mds_header *header, struct platter_error *err)
{
	uint32_t sessions = le16_get(header->sessions);
	int r = 0;

	if (sessions < 1 || sessions > CD_TRACKS_MAX)
		return err_set(err, EINVAL, "%u sessions, expected 1 to %u", sessions,
		               CD_TRACKS_MAX);
	mds->dvd = le16_get(header->medium) >= 0x10;
	for (uint32_t i = 0; i < sessions && !r; i++)
		r = take_session(mds,
		                 le32_get(header->sessions_offset) +
		                         (uint64_t)i * sizeof(struct mds_session),
		                 i + 1, err);
	if (!r && !mds->ntracks)
		r = err_set(err, EINVAL, "there is no track");
	if (!r)
		r = open_files(mds, err);
	for (unsigned i = 0; i < mds->ntracks && !r; i++)
		r = add_track(mds, &mds->tracks[i], err);
	return r ? r : cd_disc_finish(mds->disc, mds->image, err);
}

static int mds_open(struct image *image, struct platter_error *err)
{
	struct mds_header header;
	struct mds *mds;
	int r;

	r = image_read_head(image->file, &header, sizeof header, err);
	if (r)
		return r;
	if (memcmp(header.signature, "MEDIA DESCRIPTOR", sizeof header.signature) != 0)
		return DRIVER_NOT_MINE;
	if (header.version[0] != 1)
		return err_set(err, EOPNOTSUPP,
		               "version %u.%u, expected 1 (from version 2 on the description is "
		               "encrypted)",
		               header.version[0], header.version[1]);
	mds = calloc(1, sizeof *mds);
	if (!mds)
		return err_set(err, ENOMEM, "no memory");
	mds->image = image;
	mds->disc = cd_disc_new();
	r = mds->disc ? make_disc(mds, &header, err) : err_set(err, ENOMEM, "no memory");
	if (r)
		cd_disc_close(mds->disc);
	free(mds);
	return r;
}

const struct format_driver format_mds = {
	.name = "mds",
	.id = 18,
	.open = mds_open,
	.map = cd_disc_map,
	.close = cd_disc_close,
};
