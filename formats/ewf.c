/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Expert Witness Compression Format, what EnCase and most other tools of forensics write: E01
 * (EnCase 1 to 6, FTK Imager, linen), S01 (SMART) and Ex01 (EnCase 7). The vendors published
 * little; the description is libewf's "Expert Witness Compression Format (EWF)" and "... 2 (EWF2)".
 *
 * The disk is cut into chunks of some sectors (64 by custom), each of which is stored alone, packed
 * or as it is with an Adler-32 behind it. Tables say where; they, the chunks and everything else
 * are sections of segments, which are files of some size that were made one after the other. All of
 * them are found from the first. A big disk has tens of millions of chunks, so only the places of
 * the tables are held.
 *
 * Here are the first bytes of a segment, the way through all of them, and the map; ewf1.c and
 * ewf2.c know the sections of either version. The Adler-32 behind a chunk that is not packed is not
 * looked at: such chunks are read where they stand. `platter verify` checks the sums of the whole
 * disk.
 *
 * Logical evidence (L01, Lx01) and AccessData's AD1 hold files, not a disk.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "ewf.h"
#include "text.h"

struct ewf1_file_header {
	uint8_t signature[8];  /* +0x0 */
	uint8_t start;         /* +0x8 of fields */
	le16 segment_number;   /* +0x9 */
	uint8_t end_fields[2]; /* +0xb */
};
_Static_assert(sizeof(struct ewf1_file_header) == 13, "EWF, File header");

struct ewf2_file_header {
	uint8_t signature[8];    /* +0x00 */
	uint8_t major, minor;    /* +0x08 */
	le16 compression_method; /* +0x0a */
	le32 segment_number;     /* +0x0c */
	uint8_t set_identifier[16];
};
_Static_assert(sizeof(struct ewf2_file_header) == 32, "EWF2, File header");

static const char ewf1_signature[8] = "EVF\x09\r\n\xff";
static const char ewf2_signature[8] = "EVF2\r\n\x81";

/* What looks alike and is no disk. */
static const struct {
	char signature[16];
	size_t len;
	const char *what;
} others[] = {
	{"LVF\x09\r\n\xff", 8, "logical evidence (L01), which holds files and no disk"},
	{"LEF2\r\n\x81", 8, "logical evidence (Lx01), which holds files and no disk"},
	{"ADSEGMENTEDFILE", 16, "AccessData logical image (AD1), which holds files and no disk"},
	{"ADCRYPT", 8, "encrypted by FTK Imager (AD encryption), which is not supported"},
};

bool ewf_summed(const void *bytes, size_t len)
{
	le32 sum;

	memcpy(sum.b, (const uint8_t *)bytes + len, 4);
	return adler32_z(1, bytes, len) == le32_get(sum);
}

/* ---- what sections say ---- */

int ewf_set_geometry(struct ewf *e, uint64_t sectors, uint64_t sector, uint64_t per_chunk,
                     struct platter_error *err)
{
	uint64_t chunk;

	if (e->size)
		return 0;
	if (!is_pow2(sector) || sector < 512 || sector > 65536)
		return err_set(err, EINVAL,
		               "sectors of %" PRIu64 " bytes, expected a power of two from 512 to "
		               "65536",
		               sector);
	if (per_chunk == 0 || !ckd_mul64(&chunk, per_chunk, sector) || chunk > EWF_CHUNK_MAX)
		return err_set(err, EINVAL,
		               "chunks of %" PRIu64 " sectors of %" PRIu64
		               " bytes, expected 1 sector to %u bytes",
		               per_chunk, sector, EWF_CHUNK_MAX);
	if (sectors == 0 || !ckd_mul64(&e->size, sectors, sector) || e->size > DEV_SIZE_MAX)
		return err_set(err, EINVAL,
		               "%" PRIu64 " sectors of %" PRIu64 " bytes, expected 1 to %" PRIu64
		               " bytes",
		               sectors, sector, DEV_SIZE_MAX);
	e->chunk = (uint32_t)chunk;
	e->image->sector = sector <= 4096 ? (uint32_t)sector : 0;
	return 0;
}

int ewf_set_id(struct ewf *e, const uint8_t id[16], struct platter_error *err)
{
	static const uint8_t none[16];

	if (memcmp(id, none, sizeof none) == 0 || memcmp(id, e->set, sizeof e->set) == 0)
		return 0;
	if (memcmp(e->set, none, sizeof none) != 0) {
		char have[37], want[37];

		text_guid(id, have);
		text_guid(e->set, want);
		return err_set(err, EINVAL, "belongs to image %s, and the first segment to %s",
		               have, want);
	}
	memcpy(e->set, id, sizeof e->set);
	return 0;
}

int ewf_add_table(struct ewf *e, const struct ewf_table *t, struct platter_error *err)
{
	struct ewf_table *more = e->tables;

	if ((e->ntables & (e->ntables - 1)) == 0)
		more = reallocarray(more, e->ntables ? e->ntables * 2 : 1, sizeof *more);
	if (!more)
		return err_set(err, ENOMEM, "no memory");
	e->tables = more;
	more[e->ntables] = *t;
	more[e->ntables++].first = e->chunks;
	e->chunks += t->count;
	return 0;
}

void ewf_set_md5(struct ewf *e, const uint8_t sum[16])
{
	static const uint8_t none[16];

	if (e->sums.has_md5 || memcmp(sum, none, sizeof none) == 0)
		return;
	memcpy(e->sums.md5, sum, 16);
	e->sums.has_md5 = true;
}

void ewf_set_sha1(struct ewf *e, const uint8_t sum[20])
{
	static const uint8_t none[20];

	if (e->sums.has_sha1 || memcmp(sum, none, sizeof none) == 0)
		return;
	memcpy(e->sums.sha1, sum, 20);
	e->sums.has_sha1 = true;
}

static int report_sums(struct ewf *e, struct platter_error *err)
{
	struct image_sum md5 = {.digest = "md5", .length = e->size};
	struct image_sum sha1 = {.digest = "sha1", .length = e->size};
	int r = 0;

	memcpy(md5.value, e->sums.md5, sizeof e->sums.md5);
	memcpy(sha1.value, e->sums.sha1, sizeof e->sums.sha1);
	if (e->sums.has_md5)
		r = image_add_sum(e->image, &md5);
	if (!r && e->sums.has_sha1)
		r = image_add_sum(e->image, &sha1);
	return r ? err_set(err, -r, "no memory") : 0;
}

/* ---- segments ---- */

/* The first bytes of a segment, or DRIVER_NOT_MINE. Version 1 says nothing of method and set. */
static int read_file_header(struct dev *dev, unsigned *version, uint32_t *number, unsigned *method,
                            uint8_t set[16], struct platter_error *err)
{
	struct ewf1_file_header h1;
	struct ewf2_file_header h2;
	size_t len = (size_t)min64(sizeof h2, dev->size);
	int r;

	if (len < sizeof h1)
		return DRIVER_NOT_MINE;
	r = image_read_head(dev, &h2, len, err);
	if (r)
		return r;
	memcpy(&h1, &h2, sizeof h1);
	if (memcmp(h1.signature, ewf1_signature, sizeof h1.signature) == 0) {
		*version = 1;
		*number = le16_get(h1.segment_number);
		return 0;
	}
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (others[i].len <= len && memcmp(&h2, others[i].signature, others[i].len) == 0)
			return err_set(err, EOPNOTSUPP, "%s", others[i].what);
	if (memcmp(h2.signature, ewf2_signature, sizeof h2.signature) != 0)
		return DRIVER_NOT_MINE;
	if (len < sizeof h2 || h2.major != 2)
		return err_set(err, EOPNOTSUPP, "EWF version %u.%u, expected 2.1", h2.major,
		               h2.minor);
	*version = 2;
	*number = le32_get(h2.segment_number);
	*method = le16_get(h2.compression_method);
	memcpy(set, h2.set_identifier, 16);
	return 0;
}

static int set_method(struct ewf *e, unsigned method, struct platter_error *err)
{
	if (method > 2)
		return err_set(err, EOPNOTSUPP,
		               "compression method %u, expected 0 (none), 1 (zlib) or 2 (bzip2)",
		               method);
	e->codec = method == 2 ? CODEC_BZIP2 : CODEC_ZLIB;
	return codec_require(e->codec, err);
}

/* Where a segment was expected to be the first. */
static int not_the_first(struct ewf *e, uint32_t number, struct platter_error *err)
{
	char first[256];

	if (number == 0)
		return err_set(err, EINVAL, "segment 0, expected 1 or more");
	if (!ewf_segment_name(chain_name(e->image->chain), e->version, 1, first, sizeof first))
		return err_set(err, EINVAL, "segment %" PRIu32 " of an image, open the first one",
		               number);
	return err_set(err, EINVAL, "segment %" PRIu32 " of an image, open the first one, \"%s\"",
	               number, first);
}

static int read_segment(struct ewf *e, struct dev *dev, struct platter_error *err)
{
	unsigned version = 0, method = 1;
	uint32_t number = 0;
	uint8_t set[16] = {0};
	int r = read_file_header(dev, &version, &number, &method, set, err);

	if (r == DRIVER_NOT_MINE && e->number > 1)
		return err_set(err, EINVAL, "is no segment of an EWF image");
	if (r)
		return r;
	if (e->number == 1) {
		e->version = version;
		if (number != 1)
			return not_the_first(e, number, err);
		r = set_method(e, method, err);
	} else if (version != e->version || number != e->number) {
		return err_set(err, EINVAL,
		               "is segment %" PRIu32 " of version %u, expected %" PRIu32
		               " of version %u",
		               number, version, e->number, e->version);
	}
	if (!r)
		r = ewf_set_id(e, set, err);
	if (r)
		return r;
	return version == 1 ? ewf1_read_segment(e, dev, err) : ewf2_read_segment(e, dev, err);
}

/* How many chunks there ought to be; 0 when nothing said it yet. */
static uint64_t chunks_wanted(const struct ewf *e)
{
	return e->size ? (e->size - 1) / e->chunk + 1 : 0;
}

static int missing(struct ewf *e, const char *name, struct platter_error *err)
{
	return err_set(err, ENOENT,
	               "segment \"%s\" is not there, and segments 1 to %" PRIu32 " hold %" PRIu64
	               " of %" PRIu64 " chunks",
	               name, e->number - 1, e->chunks, chunks_wanted(e));
}

static int read_next_segment(struct ewf *e, struct platter_error *err)
{
	const char *first = chain_name(e->image->chain);
	char name[256];
	struct dev *dev;
	int r;

	e->number++;
	if (!ewf_segment_name(first, e->version, e->number, name, sizeof name))
		return err_set(err, EINVAL,
		               "the image goes on in segment %" PRIu32
		               ", whose name cannot be made from \"%s\"",
		               e->number, first);
	r = chain_open(e->image->chain, "segment", name, &dev, err);
	if (r == -ENOENT)
		return missing(e, name, err);
	if (r)
		return r;
	r = read_segment(e, dev, err);
	if (r)
		err_prefix(err, "segment \"%s\"", name);
	return r;
}

static int read_segments(struct ewf *e, struct platter_error *err)
{
	int r = read_segment(e, e->image->file, err);

	while (!r && !e->last)
		r = read_next_segment(e, err);
	return r;
}

/* What can only be said of the whole. */
static int check_whole(struct ewf *e, struct platter_error *err)
{
	uint64_t wanted = chunks_wanted(e);

	if (!e->size)
		return err_set(err, EINVAL, "nothing says how large the disk is");
	if (e->chunks < wanted)
		return err_set(err, EINVAL,
		               "%" PRIu64 " chunks of %" PRIu32 " bytes, expected %" PRIu64
		               ": the image was not finished",
		               e->chunks, e->chunk, wanted);
	if (e->chunks > wanted)
		image_note(e->image, "has %" PRIu64 " chunks, of which only %" PRIu64 " are used",
		           e->chunks, wanted);
	return ewf_check_tables(e, err);
}

static void ewf_close(void *self)
{
	struct ewf *e = self;

	free(e->tables);
	free(e);
}

static int ewf_open(struct image *image, struct platter_error *err)
{
	struct ewf *e = calloc(1, sizeof *e);
	int r;

	if (!e)
		return err_set(err, ENOMEM, "no memory");
	e->image = image;
	e->cache = image->cache;
	e->number = 1;
	r = read_segments(e, err);
	if (!r)
		r = check_whole(e, err);
	if (!r)
		r = report_sums(e, err);
	if (r) {
		ewf_close(e);
		return r;
	}
	e->image = NULL;
	image->self = e;
	image->size = e->size;
	image->packed = true;
	return 0;
}

const struct format_driver format_ewf = {
	.name = "ewf",
	.id = 12,
	.open = ewf_open,
	.map = ewf_map_run,
	.close = ewf_close,
};
