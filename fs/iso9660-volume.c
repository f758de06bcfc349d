/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which tree is shown: volume descriptors (ECMA-119 4th edition, section 8; Joliet Specification,
 * "Recording Joliet"), sessions, and the choice between Rock Ridge, Joliet and plain names.
 *
 * A disc's table of contents says where its sessions begin, and an image file has none. There are
 * two ways in which sessions come to stand in a file:
 *
 * 1. As on write-once media: each session follows the one before, with its own volume
 *    descriptors; block addresses count from the start of the disc, but a session's Volume Space
 *    Size counts from the session's start. The descriptors at sector 16 are the first session's.
 *
 * 2. As on overwritable media, the way of growisofs and xorriso: a copy of the newest session's
 *    descriptors stands at sector 16. Only what xorriso wrote tells of older sessions: it leaves
 *    sectors 0 to 31 free for that copy, so that the first session begins at sector 32.
 *
 * A session is believed to be one when its root directory lies inside it and says so itself; the
 * image of another disc, stored as a file, counts its addresses from its own start and fails that.
 */
#include "config.h"

#include "iso9660.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DESCRIPTORS_MAX 64
#define SESSIONS_MAX    99

enum {
	DESCRIPTOR_PRIMARY = 1,
	DESCRIPTOR_SUPPLEMENTARY = 2,
	DESCRIPTOR_TERMINATOR = 255,
};

/* Where the first session of xorriso's emulated table of contents begins. */
#define EMULATED_FIRST 32u

/*
 * The sectors after a session's end in which the next may begin. Programs pad a session by up to
 * 150 sectors that its size does not count, and align the next to 16 or 32.
 */
#define GAP_MAX 352u

/* CDs have a lead-out, a lead-in and a pregap between sessions: 11400 sectors after the first. */
static const uint32_t gaps[] = {0, 6900, 11400};

/* Sectors that a search for the next session reads at once. */
#define SEARCH_SECTORS 32u

/* What stands at a session's start. */
struct volume {
	struct iso_descriptor primary, joliet;
	bool has_primary, has_joliet;
};

static bool has_identifier(const struct iso_descriptor *d)
{
	return !memcmp(d->standard_identifier, "CD001", 5);
}

static bool is_descriptor(const struct iso_descriptor *d)
{
	/* Version 2 is an enhanced descriptor (ISO 9660:1999). */
	return has_identifier(d) &&
	       (d->volume_descriptor_version == 1 || d->volume_descriptor_version == 2) &&
	       (d->volume_descriptor_type <= 3 ||
	        d->volume_descriptor_type == DESCRIPTOR_TERMINATOR);
}

static const struct iso_record *root_record(const struct iso_descriptor *d)
{
	return (const struct iso_record *)d->root;
}

static int sector_read(struct dev *dev, uint64_t sector, struct iso_descriptor *d)
{
	return dev_pread(dev, d, sizeof *d, sector * ISO_SECTOR);
}

bool iso_volume_probe(struct dev *dev)
{
	struct iso_descriptor d;

	return !sector_read(dev, ISO_SYSTEM_AREA, &d) && is_descriptor(&d);
}

static bool block_size_ok(uint32_t block)
{
	return block == 512 || block == 1024 || block == ISO_SECTOR;
}

/* The number of sectors that a descriptor's volume takes. */
static uint64_t volume_sectors(const struct iso_descriptor *d)
{
	uint64_t bytes =
		(uint64_t)both32_get(d->volume_space_size) * both16_get(d->logical_block_size);

	return align_up(bytes, ISO_SECTOR) / ISO_SECTOR;
}

/* ---- sessions ---- */

static bool is_session(struct dev *dev, uint64_t start, const struct iso_descriptor *d)
{
	uint32_t block = both16_get(d->logical_block_size);
	const struct iso_record *root = root_record(d);
	struct iso dummy = {.dev = dev, .block = block};
	uint8_t record[ISO_RECORD_MAX];
	uint64_t root_start;

	if (!is_descriptor(d) || d->volume_descriptor_type != DESCRIPTOR_PRIMARY ||
	    !block_size_ok(block))
		return false;
	root_start = iso_data_start(&dummy, root);
	if (root_start < (start + ISO_SYSTEM_AREA) * ISO_SECTOR ||
	    iso_record_read(dev, root_start, record))
		return false;
	return iso_is_dot((const struct iso_record *)record) &&
	       both32_get(((const struct iso_record *)record)->location_of_extent) ==
	               both32_get(root->location_of_extent);
}

/* The first session that begins at one of count sectors from first on. */
static bool search(struct dev *dev, uint64_t first, uint32_t count, uint8_t *buf, uint64_t *start,
                   struct iso_descriptor *d)
{
	uint64_t sectors = dev->size / ISO_SECTOR, at = first + ISO_SYSTEM_AREA;
	uint64_t end = min64(at + count, sectors);

	while (at < end) {
		uint64_t n = min64(end - at, SEARCH_SECTORS);

		if (dev_pread(dev, buf, n * ISO_SECTOR, at * ISO_SECTOR))
			return false;
		for (uint64_t i = 0; i < n; i++) {
			memcpy(d, buf + i * ISO_SECTOR, sizeof *d);
			*start = at + i - ISO_SYSTEM_AREA;
			if (is_session(dev, *start, d))
				return true;
		}
		at += n;
	}
	return false;
}

/*
 * The starts, in sectors, of the sessions that follow the one at starts[count - 1], whose
 * descriptor is d; below limit. Returns the new count.
 */
static size_t follow(struct dev *dev, uint64_t limit, struct iso_descriptor *d, uint8_t *buf,
                     uint64_t starts[SESSIONS_MAX], size_t count)
{
	while (count < SESSIONS_MAX) {
		uint64_t end = starts[count - 1] + volume_sectors(d), start;
		bool found = false;

		/* A size of nothing would find the same session again. */
		end = max64(end, starts[count - 1] + ISO_SYSTEM_AREA);
		for (size_t i = 0; i < sizeof gaps / sizeof *gaps && !found; i++)
			found = search(dev, end + gaps[i], GAP_MAX, buf, &start, d);
		if (!found || start >= limit)
			break;
		starts[count++] = start;
	}
	return count;
}

/* Find the sessions of the disc whose descriptor at sector 16 is d. 0 for want of memory. */
static size_t find_sessions(struct dev *dev, const struct iso_descriptor *d,
                            uint64_t starts[SESSIONS_MAX])
{
	uint8_t *buf = malloc(SEARCH_SECTORS * ISO_SECTOR);
	struct iso_descriptor last = *d;
	uint64_t limit = volume_sectors(d);
	size_t count = 1;

	if (!buf)
		return 0;
	starts[0] = EMULATED_FIRST;
	if (limit <= EMULATED_FIRST || sector_read(dev, EMULATED_FIRST + ISO_SYSTEM_AREA, &last) ||
	    !is_session(dev, EMULATED_FIRST, &last)) {
		starts[0] = 0;
		last = *d;
		count = follow(dev, UINT64_MAX, &last, buf, starts, count);
	} else {
		/* What stands at sector 16 has the last word on which session is the newest. */
		count = follow(dev, limit, &last, buf, starts, count);
		if (sector_read(dev, starts[count - 1] + ISO_SYSTEM_AREA, &last) ||
		    memcmp(&root_record(&last)->location_of_extent,
		           &root_record(d)->location_of_extent, sizeof(both32)))
			starts[count < SESSIONS_MAX ? count++ : count - 1] = 0;
	}
	free(buf);
	return count;
}

/* ---- volume descriptors ---- */

/* Joliet's three levels: "%/@", "%/C" and "%/E". */
static bool is_joliet(const struct iso_descriptor *d)
{
	const uint8_t *e = d->escape_sequences;

	return d->volume_descriptor_version == 1 && e[0] == 0x25 && e[1] == 0x2f &&
	       (e[2] == 0x40 || e[2] == 0x43 || e[2] == 0x45);
}

static void volume_read(struct dev *dev, uint64_t start, struct volume *volume)
{
	struct iso_descriptor d;

	volume->has_primary = volume->has_joliet = false;
	for (uint64_t i = 0; i < DESCRIPTORS_MAX; i++) {
		if (sector_read(dev, start + ISO_SYSTEM_AREA + i, &d) || !has_identifier(&d) ||
		    d.volume_descriptor_type == DESCRIPTOR_TERMINATOR)
			return;
		if (d.volume_descriptor_type == DESCRIPTOR_PRIMARY && !volume->has_primary) {
			volume->primary = d;
			volume->has_primary = true;
		} else if (d.volume_descriptor_type == DESCRIPTOR_SUPPLEMENTARY &&
		           !volume->has_joliet && is_joliet(&d)) {
			volume->joliet = d;
			volume->has_joliet = true;
		}
	}
}

/* ---- trees ---- */

static const char *const tree_names[] = {
	[ISO_TREE_ROCK_RIDGE] = "rr",
	[ISO_TREE_JOLIET] = "joliet",
	[ISO_TREE_PLAIN] = "plain",
};

/* Take the tree whose root a descriptor names. */
static int root_set(struct iso *iso, const struct iso_descriptor *d, struct platter_error *err)
{
	const struct iso_record *root = root_record(d);
	uint32_t block = both16_get(d->logical_block_size);
	uint8_t record[ISO_RECORD_MAX];

	if (!block_size_ok(block))
		return err_set(err, EIO, "logical blocks of %u bytes, expected 512, 1024 or 2048",
		               block);
	iso->block = block;
	iso->root = iso_data_start(iso, root);
	iso->root_size = both32_get(root->data_length);
	if (!range_ok(iso->root, iso->root_size, iso->dev->size))
		return err_set(err, EIO,
		               "root directory of %u bytes at %llu, the image ends at %llu",
		               iso->root_size, (unsigned long long)iso->root,
		               (unsigned long long)iso->dev->size);
	if (iso->root_size == 0 || iso->root_size > ISO_DIRECTORY_MAX)
		return err_set(err, EIO, "root directory of %u bytes, expected 1 to %llu",
		               iso->root_size, (unsigned long long)ISO_DIRECTORY_MAX);
	if (iso_record_read(iso->dev, iso->root, record) ||
	    !iso_is_dot((const struct iso_record *)record))
		return err_set(err, EIO,
		               "root directory at %llu does not begin with its own record",
		               (unsigned long long)iso->root);
	return 0;
}

/*
 * Whether the plain tree carries Rock Ridge: SP in the root's own record, and an entry that says
 * whose System Use this is. Discs exist that leave out one or the other of the latter.
 */
static int rock_ridge_find(struct iso *iso, bool *found, struct platter_error *err)
{
	/* A CD-ROM XA disc has its own 14 bytes in front. */
	static const uint32_t skips[] = {0, 14};
	struct iso_susp susp = {.link = NULL};
	uint8_t record[ISO_RECORD_MAX];
	struct iso_areas areas;
	int r;

	*found = false;
	r = iso_record_read(iso->dev, iso->root, record);
	for (size_t i = 0; r == 0 && i < sizeof skips / sizeof *skips; i++) {
		iso_areas_begin(&areas, iso);
		r = iso_susp_read(&areas, (const struct iso_record *)record, skips[i], NULL, 0,
		                  &susp);
		/* Another use of the field may look like anything, but not like SP. */
		if (!(susp.have & ISO_SUSP_SP)) {
			r = 0;
			continue;
		}
		if (r)
			break;
		*found = susp.have & (ISO_SUSP_RRIP | ISO_SUSP_PX | ISO_SUSP_MTIME);
		iso->skip = susp.skip;
		iso->root_skip = skips[i];
		break;
	}
	if (r)
		return err_set(err, -r,
		               "Rock Ridge entries of the root directory at %llu are broken",
		               (unsigned long long)iso->root);
	return 0;
}

static int tree_open(struct iso *iso, const struct volume *volume, const char *wish,
                     struct platter_error *err)
{
	bool rock_ridge = false;
	int r;

	if (wish && strcmp(wish, "rr") && strcmp(wish, "joliet") && strcmp(wish, "plain"))
		return err_set(err, EINVAL, "tree \"%s\", expected rr, joliet or plain", wish);
	if (!volume->has_primary && !(wish && !strcmp(wish, "joliet") && volume->has_joliet))
		return err_set(err, EIO, "no primary volume descriptor");
	if (!wish || strcmp(wish, "joliet")) {
		r = root_set(iso, &volume->primary, err);
		if (!r && (!wish || !strcmp(wish, "rr")))
			r = rock_ridge_find(iso, &rock_ridge, err);
		if (r) {
			if (!wish && volume->has_joliet)
				err_prefix(err, "plain tree (-o tree=joliet shows another)");
			return r;
		}
	}
	iso->tree = ISO_TREE_PLAIN;
	if (rock_ridge)
		iso->tree = ISO_TREE_ROCK_RIDGE;
	else if (volume->has_joliet && (!wish || strcmp(wish, "plain")))
		iso->tree = ISO_TREE_JOLIET;
	if (wish && strcmp(wish, tree_names[iso->tree]))
		return err_set(err, EINVAL, "no %s tree on this disc",
		               strcmp(wish, "rr") ? "Joliet" : "Rock Ridge");
	return iso->tree == ISO_TREE_JOLIET ? root_set(iso, &volume->joliet, err) : 0;
}

int iso_volume_open(struct iso *iso, const struct fs_options *opt, struct platter_error *err)
{
	uint64_t starts[SESSIONS_MAX];
	struct volume volume;
	size_t count;

	if (!iso_volume_probe(iso->dev))
		return DRIVER_NOT_MINE;
	volume_read(iso->dev, 0, &volume);
	if (!volume.has_primary)
		return err_set(err, EIO, "no primary volume descriptor from sector %u on",
		               ISO_SYSTEM_AREA);
	count = find_sessions(iso->dev, &volume.primary, starts);
	if (count == 0)
		return err_set(err, ENOMEM, "no memory to look for sessions");
	if (opt->session > count)
		return err_set(err, EINVAL, "session %u, the disc has %zu", opt->session, count);
	volume_read(iso->dev, starts[opt->session ? opt->session - 1 : count - 1], &volume);
	return tree_open(iso, &volume, opt->tree, err);
}
