/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ECM (error code modeler) files, N. Corlett, format.txt of cmdpack: a disc image, or any file,
 * without the parts of its sectors that can be computed. After "ECM\0" come records: a type in the
 * lower two bits of a byte, and a count less one in its next five bits and, while the highest bit
 * is set, in seven more bits of each byte that follows.
 *
 *   0   so many bytes as they are
 *   1   so many mode 1 sectors: address 3, data 2048
 *   2   mode 2 form 1 without sync and header: subheader 4, data 2048
 *   3   mode 2 form 2, the same with 2324
 *
 * A count of all ones is the end; an EDC over everything follows. A mode 2 sector with its header
 * is 16 bytes of type 0 and one sector of type 2 or 3.
 *
 * What is served are the sectors' 2048 bytes of data (as in a cue sheet's data track), all of which
 * stand in the file as they are: nothing has to be computed. Where no record is of a sector, it is
 * the file's bytes. The records have no index; one is made when the image is opened (ecm-index.c).
 */
#include "config.h"

#include "ecm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ondisk.h"

/* Sectors that are gathered together. */
#define CHUNK_SECTORS 32u

/* The stretch that holds a sector. */
static size_t find(const struct ecm *ecm, uint64_t sector)
{
	size_t low = 0, high = ecm->count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (ecm->stretches[middle].first <= sector)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static uint64_t end_of(const struct ecm *ecm, size_t i)
{
	return i + 1 < ecm->count ? ecm->stretches[i + 1].first : ecm->sectors;
}

/* count sectors that begin with the n-th of a stretch. */
static int gather(const struct ecm *ecm, const struct ecm_stretch *s, uint64_t n, uint64_t count,
                  uint8_t *out)
{
	size_t len = (size_t)(count * s->period);
	uint8_t *stored = malloc(len);
	uint64_t address;
	int r = stored ? dev_pread(ecm->file, stored, len, s->off + n * s->period) : -ENOMEM;

	if (!r && s->kind == ECM_LITERAL)
		cd_sectors_serve(&ecm->layout, stored, out, (size_t)count);
	for (uint64_t i = 0; i < count && !r && s->kind != ECM_LITERAL; i++) {
		const uint8_t *p = stored + i * s->period;

		if (s->kind == ECM_HEADED && !ecm_head(p, s->type, &address))
			r = -EIO;
		memcpy(out + i * CD_DATA_SECTOR, p + s->skip, CD_DATA_SECTOR);
	}
	free(stored);
	return r;
}

static int make_chunk(void *self, uint64_t chunk, void *data, size_t size)
{
	const struct ecm *ecm = self;
	uint64_t sector = chunk * CHUNK_SECTORS, end = sector + size / CD_DATA_SECTOR;
	uint8_t *out = data;
	int r = 0;

	for (size_t i = find(ecm, sector); sector < end && !r; i++) {
		const struct ecm_stretch *s = &ecm->stretches[i];
		uint64_t count = min64(end, end_of(ecm, i)) - sector;

		r = gather(ecm, s, sector - s->first, count, out);
		out += count * CD_DATA_SECTOR;
		sector += count;
	}
	return r;
}

static int ecm_map(void *self, uint64_t node, uint64_t off, struct run *run)
{
	const struct ecm *ecm = self;
	uint64_t chunk = off / (CHUNK_SECTORS * CD_DATA_SECTOR);

	(void)node;
	if (!ecm->layout.stored) {
		size_t i = find(ecm, off);

		*run = (struct run){
			.kind = RUN_RAW,
			.length = end_of(ecm, i) - off,
			.dev = ecm->file,
			.offset = ecm->stretches[i].off + (off - ecm->stretches[i].first),
		};
		return 0;
	}
	*run = (struct run){
		.kind = RUN_MADE,
		.offset = chunk,
		.unpacked = CD_DATA_SECTOR *
	                    (uint32_t)min64(CHUNK_SECTORS, ecm->sectors - chunk * CHUNK_SECTORS),
		.skip = (uint32_t)(off % (CHUNK_SECTORS * CD_DATA_SECTOR)),
		.make = make_chunk,
	};
	run->length = run->unpacked - run->skip;
	return 0;
}

static void ecm_close(void *self)
{
	struct ecm *ecm = self;

	free(ecm->stretches);
	free(ecm);
}

static int ecm_open(struct image *image, struct platter_error *err)
{
	struct ecm *ecm;
	char magic[4];
	int r;

	r = image_read_head(image->file, magic, sizeof magic, err);
	if (r)
		return r;
	if (memcmp(magic, "ECM", 4) != 0)
		return DRIVER_NOT_MINE;
	ecm = calloc(1, sizeof *ecm);
	if (!ecm)
		return err_set(err, ENOMEM, "no memory");
	ecm->file = image->file;
	r = ecm_index(ecm, err);
	if (!r && !ecm->sectors)
		r = err_set(err, EINVAL, "holds nothing");
	if (r) {
		ecm_close(ecm);
		return r;
	}
	image->self = ecm;
	image->size = ecm->layout.stored ? ecm->sectors * CD_DATA_SECTOR : ecm->sectors;
	return 0;
}

const struct format_driver format_ecm = {
	.name = "ecm",
	.id = 21,
	.open = ecm_open,
	.map = ecm_map,
	.close = ecm_close,
};
