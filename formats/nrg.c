/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nero's disc images. There is no specification; the format is known from what Nero writes
 * (en.wikipedia.org/wiki/NRG_(file_format)). The sectors come first; at the end a footer ("NER5"
 * and 64 bits, before Nero 5.5 "NERO" and 32) says where a chain of chunks begins. All numbers are
 * big-endian:
 *
 *   CUEX, CUES    the indexes of a session's tracks with their addresses on the disc
 *   DAOX, DAOI    those tracks: mode, and where in the file pregap, track and end are
 *   ETN2, ETNF    the tracks of a session that was written track at once, without pregaps
 *   SINF          the end of a session
 *   END!          of the chain
 *
 * The names on the right are those of the old format, with shorter fields. A track reaches from
 * its index 1 to the next one's, as in a cue sheet.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cddisc.h"
#include "ondisk.h"

/* Tables of 99 tracks take some 6 KiB; CD-TEXT and what else is passed over can be more. */
#define CHAIN_MAX ((size_t)1 << 20)

/* The last bytes of the file; of the old format, only the last 8. */
struct nrg_footer {
	uint8_t id[4];
	be64 offset;
};

_Static_assert(sizeof(struct nrg_footer) == 12, "NER5");

struct nrg_chunk {
	uint8_t id[4];
	be32 size;
};

struct nrg_cue {
	uint8_t mode;
	uint8_t track; /* BCD; 0: lead-in, 0xaa: lead-out */
	uint8_t index; /* BCD */
	uint8_t pad;
	be32 sector; /* CUES: 0, minutes, seconds, frames in BCD */
};

struct nrg_dao_head {
	be32 size;
	uint8_t upc[14];
	be16 toc_type;
	uint8_t first_track, last_track;
};

_Static_assert(sizeof(struct nrg_dao_head) == 22, "DAOX, DAOI");

struct nrg_dao {
	uint8_t isrc[12];
	be16 sector_size;
	uint8_t mode;
	uint8_t unknown[3];
	be64 index0, index1, end; /* offsets in the file */
};

_Static_assert(sizeof(struct nrg_dao) == 42, "DAOX");

struct nrg_dao_old {
	uint8_t isrc[12];
	be16 sector_size;
	uint8_t mode;
	uint8_t unknown[3];
	be32 index0, index1, end;
};

_Static_assert(sizeof(struct nrg_dao_old) == 30, "DAOI");

struct nrg_etn {
	be64 offset, length;
	be32 mode;
	be32 sector;
	uint8_t unknown[8];
};

_Static_assert(sizeof(struct nrg_etn) == 32, "ETN2");

struct nrg_etn_old {
	be32 offset, length;
	be32 mode;
	be32 sector;
	uint8_t unknown[4];
};

_Static_assert(sizeof(struct nrg_etn_old) == 20, "ETNF");

/* A track, whichever table it comes from. */
struct entry {
	uint32_t number, mode, stored; /* stored 0: as the mode says */
	uint64_t index0, index1, end;
	uint64_t address;
};

struct nrg {
	struct image *image;
	struct cd_disc *disc;
	const uint8_t *cue; /* the last such chunk */
	uint32_t cues, session, number;
	bool old;
	struct cd_layout layout; /* of the last track, and its session */
	uint32_t last_session;
	uint64_t end, address; /* in the file; on the disc */
};

static const struct {
	uint8_t code;
	enum cd_mode mode;
	uint16_t stored;
} modes[] = {
	{0x00, CD_MODE1, 2048}, {0x02, CD_MODE2, 2048}, {0x03, CD_MODE2, 2336},
	{0x05, CD_MODE1, 2352}, {0x06, CD_MODE2, 2352}, {0x07, CD_AUDIO, 2352},
	{0x0f, CD_MODE1, 2448}, {0x10, CD_AUDIO, 2448}, {0x11, CD_MODE2, 2448},
};

static int find_layout(const struct entry *e, struct cd_layout *layout, struct platter_error *err)
{
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
		if (modes[i].code == e->mode) {
			uint32_t stored = e->stored ? e->stored : modes[i].stored;

			if (cd_layout_find(modes[i].mode, stored, layout))
				return 0;
			return err_set(err, EINVAL,
			               "track %u: sectors of %u bytes in mode %u, expected %u",
			               e->number, stored, e->mode, modes[i].stored);
		}
	return err_set(err, EOPNOTSUPP, "track %u: mode %u is not known", e->number, e->mode);
}

/* Two digits, or 100. */
static uint64_t bcd(uint8_t v)
{
	return v >> 4 > 9 || (v & 15) > 9 ? 100 : (v >> 4) * 10u + (v & 15);
}

/* Where the cue chunk says that a track's index 1 is; fallback if it does not. */
static uint64_t cue_address(const struct nrg *nrg, uint32_t number, uint64_t fallback)
{
	for (uint32_t i = 0; i < nrg->cues; i++) {
		uint64_t sector;
		struct nrg_cue cue;

		memcpy(&cue, nrg->cue + i * sizeof cue, sizeof cue);
		if (bcd(cue.track) != number || bcd(cue.index) != 1)
			continue;
		sector = be32_get(cue.sector);
		if (nrg->old) {
			const uint8_t *msf = cue.sector.b;

			sector = (bcd(msf[1]) * 60 + bcd(msf[2])) * CD_FRAMES + bcd(msf[3]);
			if (sector < CD_PREGAP)
				return fallback;
			sector -= CD_PREGAP;
		}
		return sector <= INT32_MAX ? sector : fallback;
	}
	return fallback;
}

static int add_track(struct nrg *nrg, const struct entry *e, struct platter_error *err)
{
	struct cd_layout layout;
	uint64_t sectors;
	int r = find_layout(e, &layout, err);

	if (r)
		return r;
	if (e->index0 > e->index1 || e->index1 > e->end)
		return err_set(err, EIO, "track %u: from %llu over %llu to %llu in the file",
		               e->number, (unsigned long long)e->index0,
		               (unsigned long long)e->index1, (unsigned long long)e->end);
	if (nrg->number && nrg->last_session == nrg->session && e->index0 == nrg->end &&
	    layout.stored == nrg->layout.stored && layout.audio == nrg->layout.audio)
		r = cd_disc_piece(nrg->disc, nrg->image->file, e->index0, e->index1 - e->index0,
		                  &layout, err);
	if (!r)
		r = cd_disc_track(nrg->disc, e->number, nrg->session, layout.audio, e->address,
		                  err);
	if (!r)
		r = cd_disc_piece(nrg->disc, nrg->image->file, e->index1, e->end - e->index1,
		                  &layout, err);
	sectors = (e->end - e->index1) / layout.stored;
	nrg->layout = layout;
	nrg->last_session = nrg->session;
	nrg->number = e->number;
	nrg->end = e->end;
	nrg->address = e->address + sectors;
	return r;
}

/* ---- chunks ---- */

static int dao_chunk(struct nrg *nrg, const uint8_t *data, uint32_t size, struct platter_error *err)
{
	uint32_t each = nrg->old ? sizeof(struct nrg_dao_old) : sizeof(struct nrg_dao);
	struct nrg_dao_head head;
	int r = 0;

	if (size < sizeof head)
		return err_set(err, EIO, "DAO chunk of %u bytes, expected at least %zu", size,
		               sizeof head);
	memcpy(&head, data, sizeof head);
	for (uint32_t i = 0; i < (size - sizeof head) / each && !r; i++) {
		const uint8_t *p = data + sizeof head + i * each;
		struct entry e = {.number = head.first_track + i};
		struct nrg_dao_old old;
		struct nrg_dao dao;

		memcpy(&old, p, sizeof old);
		e.mode = old.mode;
		e.stored = be16_get(old.sector_size);
		if (nrg->old) {
			e.index0 = be32_get(old.index0);
			e.index1 = be32_get(old.index1);
			e.end = be32_get(old.end);
		} else {
			memcpy(&dao, p, sizeof dao);
			e.index0 = be64_get(dao.index0);
			e.index1 = be64_get(dao.index1);
			e.end = be64_get(dao.end);
		}
		e.address = cue_address(nrg, e.number, nrg->address);
		r = add_track(nrg, &e, err);
	}
	return r;
}

static int etn_chunk(struct nrg *nrg, const uint8_t *data, uint32_t size, struct platter_error *err)
{
	uint32_t each = nrg->old ? sizeof(struct nrg_etn_old) : sizeof(struct nrg_etn);
	int r = 0;

	for (uint32_t i = 0; i < size / each && !r; i++) {
		struct entry e = {.number = nrg->number + 1};
		struct nrg_etn_old old;
		struct nrg_etn etn;
		uint64_t length;

		if (nrg->old) {
			memcpy(&old, data + i * each, sizeof old);
			e.index1 = be32_get(old.offset);
			length = be32_get(old.length);
			e.mode = be32_get(old.mode);
			e.address = be32_get(old.sector);
		} else {
			memcpy(&etn, data + i * each, sizeof etn);
			e.index1 = be64_get(etn.offset);
			length = be64_get(etn.length);
			e.mode = be32_get(etn.mode);
			e.address = be32_get(etn.sector);
		}
		e.index0 = e.index1;
		if (!ckd_add64(&e.end, e.index1, length))
			return err_set(err, EIO, "track %u: %llu bytes at %llu in the file",
			               e.number, (unsigned long long)length,
			               (unsigned long long)e.index1);
		r = add_track(nrg, &e, err);
	}
	return r;
}

static int take_chunk(struct nrg *nrg, const uint8_t id[4], const uint8_t *data, uint32_t size,
                      struct platter_error *err)
{
	if (memcmp(id, nrg->old ? "CUES" : "CUEX", 4) == 0) {
		nrg->cue = data;
		nrg->cues = size / sizeof(struct nrg_cue);
	} else if (memcmp(id, nrg->old ? "DAOI" : "DAOX", 4) == 0) {
		return dao_chunk(nrg, data, size, err);
	} else if (memcmp(id, nrg->old ? "ETNF" : "ETN2", 4) == 0) {
		return etn_chunk(nrg, data, size, err);
	} else if (memcmp(id, "SINF", 4) == 0) {
		nrg->session++;
	}
	return 0;
}

static int take_chain(struct nrg *nrg, const uint8_t *chain, uint64_t size,
                      struct platter_error *err)
{
	uint64_t at = 0;

	while (size - at >= sizeof(struct nrg_chunk)) {
		struct nrg_chunk chunk;
		uint32_t len;
		int r;

		memcpy(&chunk, chain + at, sizeof chunk);
		if (memcmp(chunk.id, "END!", 4) == 0)
			return 0;
		at += sizeof chunk;
		len = be32_get(chunk.size);
		if (len > size - at)
			return err_set(err, EIO,
			               "a chunk of %u bytes, but the chain ends after %llu", len,
			               (unsigned long long)(size - at));
		r = take_chunk(nrg, chunk.id, chain + at, len, err);
		if (r)
			return r;
		at += len;
	}
	return err_set(err, EIO, "the chain of chunks has no END!");
}

/* ---- the driver ---- */

/* Where the chain of chunks is. */
static int find_chain(struct image *image, bool *old, uint64_t *start, uint64_t *size,
                      struct platter_error *err)
{
	uint64_t end = image->file->size;
	struct nrg_footer footer;
	int r;

	if (end < sizeof footer)
		return DRIVER_NOT_MINE;
	r = dev_pread(image->file, &footer, sizeof footer, end - sizeof footer);
	if (r)
		return err_set(err, -r, "reading the footer: %s", strerror(-r));
	*start = be64_get(footer.offset);
	*old = memcmp(footer.id, "NER5", 4) != 0;
	if (*old) {
		if (memcmp(footer.offset.b, "NERO", 4) != 0)
			return DRIVER_NOT_MINE;
		*start &= UINT32_MAX;
	}
	end -= *old ? 8 : 12;
	if (*start >= end)
		return err_set(err, EIO,
		               "chunks at %llu, but the file has %llu bytes before its "
		               "footer",
		               (unsigned long long)*start, (unsigned long long)end);
	*size = end - *start;
	return 0;
}

static int nrg_open(struct image *image, struct platter_error *err)
{
	struct nrg nrg = {.image = image, .session = 1};
	uint64_t start = 0, size = 0;
	void *chain;
	int r = find_chain(image, &nrg.old, &start, &size, err);

	if (!r)
		r = dev_read_table(image->file, start, size, 1, CHAIN_MAX, "chain of chunks",
		                   &chain, err);
	if (r)
		return r;
	nrg.disc = cd_disc_new();
	r = nrg.disc ? take_chain(&nrg, chain, size, err) : err_set(err, ENOMEM, "no memory");
	if (!r && !nrg.number)
		r = err_set(err, EINVAL, "there is no track");
	if (!r)
		r = cd_disc_finish(nrg.disc, image, err);
	if (r)
		cd_disc_close(nrg.disc);
	free(chain);
	return r;
}

const struct format_driver format_nrg = {
	.name = "nrg",
	.id = 17,
	.open = nrg_open,
	.map = cd_disc_map,
	.close = cd_disc_close,
};
