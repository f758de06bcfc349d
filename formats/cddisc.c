/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "cddisc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ondisk.h"

/* 99 tracks with 99 indexes each, and no sheet for people has more. */
#define PIECES_MAX 10000u

/* Sectors that are unpacked together: what a large read costs least with. */
#define CHUNK_SECTORS 32u

/* Sectors at the head of a session that stand at the disc's as well: the system area and as much
 * again for descriptors. */
#define HEAD_SECTORS 32u

_Static_assert(CHUNK_SECTORS *CD_STORED_MAX <= RUN_CHUNK_MAX, "a chunk of sectors");

/* A stretch of a file. */
struct piece {
	struct dev *file; /* NULL: zeros */
	uint64_t off;
	uint64_t served; /* bytes */
	uint64_t chunk;  /* the number of its first chunk among all pieces' */
	struct cd_layout layout;
};

/* Part of a piece at a place of a node; what no span covers is zeros. */
struct span {
	uint64_t start, length;
	uint64_t off; /* in the piece's served bytes */
	size_t piece;
};

/* A node: its spans lie in the order of their starts and do not overlap. */
struct node {
	size_t first, count;
	uint64_t size;
};

struct track {
	uint32_t number, session;
	bool audio;
	uint64_t address;    /* as the image has it, in sectors */
	uint64_t at;         /* of a data track: where it stands on the disk */
	uint64_t size;       /* bytes served */
	size_t first, count; /* pieces */
};

struct cd_disc {
	struct track tracks[CD_TRACKS_MAX];
	uint32_t ntracks;
	struct piece *pieces;
	size_t npieces;
	struct span *spans;
	size_t nspans;
	struct node nodes[1 + CD_TRACKS_MAX];
	uint64_t chunks;
};

static int no_memory(struct platter_error *err)
{
	return err_set(err, ENOMEM, "no memory");
}

struct cd_disc *cd_disc_new(void)
{
	return calloc(1, sizeof(struct cd_disc));
}

void cd_disc_close(void *self)
{
	struct cd_disc *disc = self;

	if (!disc)
		return;
	free(disc->pieces);
	free(disc->spans);
	free(disc);
}

int cd_disc_track(struct cd_disc *disc, uint32_t number, uint32_t session, bool audio,
                  uint64_t address, struct platter_error *err)
{
	const struct track *last = disc->ntracks ? &disc->tracks[disc->ntracks - 1] : NULL;

	if (number < 1 || number > CD_TRACKS_MAX)
		return err_set(err, EINVAL, "track %u, expected 1 to %u", number, CD_TRACKS_MAX);
	if (last && number <= last->number)
		return err_set(err, EINVAL, "track %u after track %u", number, last->number);
	if (last && session < last->session)
		return err_set(err, EINVAL, "track %u of session %u after one of session %u",
		               number, session, last->session);
	disc->tracks[disc->ntracks++] = (struct track){
		.number = number,
		.session = session,
		.audio = audio,
		.address = address,
		.first = disc->npieces,
	};
	return 0;
}

/* Bytes that are served of so many stored ones. */
static uint64_t served_of(const struct cd_layout *layout, uint64_t stored)
{
	if (layout->audio && layout->stored == layout->served)
		return align_down(stored, 4);
	return stored / layout->stored * layout->served;
}

int cd_disc_piece(struct cd_disc *disc, struct dev *file, uint64_t off, uint64_t length,
                  const struct cd_layout *layout, struct platter_error *err)
{
	struct track *track = &disc->tracks[disc->ntracks - 1];
	uint64_t served = served_of(layout, length);
	struct piece *more = disc->pieces;

	if (file && !range_ok(off, length, file->size))
		return err_set(err, EIO,
		               "track %u: %llu bytes at %llu, but the file has %llu bytes",
		               track->number, (unsigned long long)length, (unsigned long long)off,
		               (unsigned long long)file->size);
	if (!served)
		return 0;
	if (!ckd_add64(&track->size, track->size, served) || track->size > DEV_SIZE_MAX)
		return err_set(err, EFBIG, "track %u is too long", track->number);
	if (disc->npieces == PIECES_MAX)
		return err_set(err, E2BIG, "more than %u pieces", PIECES_MAX);
	if ((disc->npieces & (disc->npieces - 1)) == 0)
		more = reallocarray(disc->pieces, disc->npieces ? disc->npieces * 2 : 1,
		                    sizeof *more);
	if (!more)
		return no_memory(err);
	disc->pieces = more;
	more[disc->npieces++] = (struct piece){
		.file = file,
		.off = off,
		.served = served,
		.chunk = disc->chunks,
		.layout = *layout,
	};
	disc->chunks += served / (CHUNK_SECTORS * layout->served) + 1;
	track->count++;
	return 0;
}

/* ---- nodes ---- */

/* Append bytes [from, from + length) of a track to the node that is being made, at start. */
static void add_spans(struct cd_disc *disc, struct node *node, const struct track *track,
                      uint64_t from, uint64_t length, uint64_t start)
{
	for (size_t i = track->first; i < track->first + track->count && length; i++) {
		const struct piece *piece = &disc->pieces[i];
		uint64_t n;

		if (from >= piece->served) {
			from -= piece->served;
			continue;
		}
		n = min64(length, piece->served - from);
		if (piece->file) {
			disc->spans[disc->nspans++] = (struct span){start, n, from, i};
			node->count++;
		}
		start += n;
		length -= n;
		from = 0;
	}
}

static struct node *begin_node(struct cd_disc *disc, size_t i)
{
	disc->nodes[i].first = disc->nspans;
	return &disc->nodes[i];
}

static int header_of(const struct track *track, const struct piece *piece, uint64_t sector,
                     uint8_t header[CD_HEADER], struct platter_error *err)
{
	int r = dev_pread(piece->file, header, CD_HEADER,
	                  piece->off + sector * piece->layout.stored);

	return r ? err_set(err, -r, "track %u: the header of sector %llu cannot be read: %s",
	                   track->number, (unsigned long long)sector, strerror(-r))
	         : 0;
}

/* The address in the header of a track's first sector, where there is one that others confirm. */
static int stated_address(const struct cd_disc *disc, const struct track *track, bool *stated,
                          uint64_t *address, struct platter_error *err)
{
	const struct piece *piece;
	uint8_t header[CD_HEADER];
	uint64_t last, sectors;
	int r;

	*stated = false;
	if (!track->count)
		return 0;
	piece = &disc->pieces[track->first];
	if (!piece->file || !cd_layout_headed(&piece->layout))
		return 0;
	sectors = piece->served / piece->layout.served;
	r = header_of(track, piece, 0, header, err);
	if (r || !cd_header_address(header, address))
		return r;
	r = header_of(track, piece, sectors - 1, header, err);
	if (!r)
		*stated = cd_header_address(header, &last) && last == *address + sectors - 1;
	return r;
}

/*
 * Where a track stands whose sectors do not tell: what is recorded is off by as much as it was of
 * the data track before it (NULL: none), and it is not before the end of that.
 */
static int implied_address(struct track *track, const struct track *before, uint64_t end,
                           struct platter_error *err)
{
	track->at = track->address;
	if (before) {
		/* Addresses count sectors of files: such a sum fits. */
		if (before->at + track->address < before->address)
			return err_set(err, EINVAL,
			               "track %u is recorded at sector %llu, track %u at %llu",
			               track->number, (unsigned long long)track->address,
			               before->number, (unsigned long long)before->address);
		track->at = before->at + track->address - before->address;
	}
	track->at = max64(track->at, end);
	return 0;
}

/* Where the data tracks stand. */
static int place_data(struct cd_disc *disc, struct platter_error *err)
{
	const struct track *before = NULL;
	uint64_t end = 0;

	for (uint32_t i = 0; i < disc->ntracks; i++) {
		struct track *track = &disc->tracks[i];
		bool stated;
		int r;

		if (track->audio)
			continue;
		r = stated_address(disc, track, &stated, &track->at, err);
		if (r)
			return r;
		if (!stated || track->at < end)
			r = implied_address(track, before, end, err);
		if (r)
			return r;
		before = track;
		end = track->at + track->size / CD_DATA_SECTOR;
		if (end > DEV_SIZE_MAX / CD_DATA_SECTOR)
			return err_set(err, EFBIG, "track %u ends at sector %llu", track->number,
			               (unsigned long long)end);
	}
	return 0;
}

/* The first data track of the last session that has one. */
static const struct track *mounted_track(const struct cd_disc *disc)
{
	const struct track *found = NULL;

	for (uint32_t i = 0; i < disc->ntracks; i++) {
		const struct track *track = &disc->tracks[i];

		if (!track->audio && track->size && (!found || track->session > found->session))
			found = track;
	}
	return found;
}

static void make_data_disk(struct cd_disc *disc)
{
	const struct track *head = mounted_track(disc);
	struct node *node = begin_node(disc, 0);
	bool first = true;

	for (uint32_t i = 0; i < disc->ntracks; i++) {
		const struct track *track = &disc->tracks[i];

		if (track->audio || !track->size)
			continue;
		if (first && track->at >= HEAD_SECTORS)
			add_spans(disc, node, head, 0,
			          min64(head->size, HEAD_SECTORS * CD_DATA_SECTOR), 0);
		first = false;
		add_spans(disc, node, track, 0, track->size, track->at * CD_DATA_SECTOR);
		node->size = track->at * CD_DATA_SECTOR + track->size;
	}
}

static int make_audio_disk(struct cd_disc *disc, struct platter_error *err)
{
	struct node *node = begin_node(disc, 0);

	for (uint32_t i = 0; i < disc->ntracks; i++) {
		const struct track *track = &disc->tracks[i];

		add_spans(disc, node, track, 0, track->size, node->size);
		if (!ckd_add64(&node->size, node->size, track->size))
			return err_set(err, EFBIG, "the tracks are too long");
	}
	return 0;
}

static int make_track(struct cd_disc *disc, uint32_t i, struct image *image,
                      struct platter_error *err)
{
	const struct track *track = &disc->tracks[i];
	struct node *node = begin_node(disc, 1 + i);
	struct image_track t = {
		.number = track->number,
		.node = 1 + i,
		.size = track->size,
		.audio = track->audio,
	};

	node->size = track->size;
	add_spans(disc, node, track, 0, track->size, 0);
	return image_add_track(image, &t) ? no_memory(err) : 0;
}

int cd_disc_finish(struct cd_disc *disc, struct image *image, struct platter_error *err)
{
	int r = place_data(disc, err);

	if (r)
		return r;
	/* Each piece at most once in its track, once in the disk, and once at the disk's head. */
	disc->spans = calloc(3 * disc->npieces + 1, sizeof *disc->spans);
	if (!disc->spans)
		return no_memory(err);
	if (mounted_track(disc))
		make_data_disk(disc);
	else
		r = make_audio_disk(disc, err);
	for (uint32_t i = 0; i < disc->ntracks && !r; i++)
		r = make_track(disc, i, image, err);
	if (!r && disc->nodes[0].size == 0)
		r = err_set(err, EINVAL, "no track holds anything");
	if (r)
		return r;
	image->self = disc;
	image->size = disc->nodes[0].size;
	return 0;
}

/* ---- mapping ---- */

/* The piece that a chunk belongs to. */
static const struct piece *piece_of_chunk(const struct cd_disc *disc, uint64_t chunk)
{
	size_t low = 0, high = disc->npieces;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (disc->pieces[middle].chunk <= chunk)
			low = middle;
		else
			high = middle;
	}
	return &disc->pieces[low];
}

static int make_chunk(void *self, uint64_t chunk, void *data, size_t size)
{
	const struct piece *piece = piece_of_chunk(self, chunk);
	const struct cd_layout *layout = &piece->layout;
	struct cd_layout part = *layout;
	uint64_t first = (chunk - piece->chunk) * CHUNK_SECTORS;
	size_t count = size / layout->served, len = count * layout->stored;
	uint8_t *stored;
	int r;

	/* The last sector of audio may be there in part, and is then as long as it is. */
	if (layout->stored == layout->served) {
		part.stored = part.served = (uint32_t)size;
		count = 1;
		len = size;
	}
	stored = malloc(len ? len : 1);
	if (!stored)
		return -ENOMEM;
	r = dev_pread(piece->file, stored, len, piece->off + first * layout->stored);
	if (!r)
		cd_sectors_serve(&part, stored, data, count);
	free(stored);
	return r;
}

static void map_piece(const struct piece *piece, uint64_t off, uint64_t length, struct run *run)
{
	uint64_t bytes = (uint64_t)CHUNK_SECTORS * piece->layout.served, chunk = off / bytes;

	if (cd_layout_plain(&piece->layout)) {
		*run = (struct run){
			.kind = RUN_RAW,
			.length = length,
			.dev = piece->file,
			.offset = piece->off + off,
		};
		return;
	}
	*run = (struct run){
		.kind = RUN_MADE,
		.offset = piece->chunk + chunk,
		.unpacked = (uint32_t)min64(bytes, piece->served - chunk * bytes),
		.skip = (uint32_t)(off - chunk * bytes),
		.make = make_chunk,
	};
	run->length = min64(length, run->unpacked - run->skip);
}

/* The first span of a node that ends after off, or count. */
static size_t find_span(const struct span *spans, size_t count, uint64_t off)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (spans[middle].start + spans[middle].length <= off)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int cd_disc_map(void *self, uint64_t n, uint64_t off, struct run *run)
{
	const struct cd_disc *disc = self;
	const struct node *node = &disc->nodes[n];
	const struct span *spans = disc->spans + node->first;
	size_t i = find_span(spans, node->count, off);

	if (i == node->count || spans[i].start > off) {
		uint64_t end = i == node->count ? node->size : spans[i].start;

		*run = (struct run){.kind = RUN_ZERO, .length = end - off};
		return 0;
	}
	map_piece(&disc->pieces[spans[i].piece], spans[i].off + (off - spans[i].start),
	          spans[i].length - (off - spans[i].start), run);
	return 0;
}
