/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System Use entries (SUSP, IEEE P1281, version 1.12) and those of Rock Ridge (RRIP, IEEE P1282,
 * versions 1.09, 1.10 and 1.12) in directory records and their continuation areas.
 *
 * An entry: signature (2 bytes), length of the entry (1), version (1), data. Offsets below are
 * from the start of the entry.
 */
#include "config.h"

#include "iso9660.h"

#include <errno.h>
#include <string.h>

/* Linux stops at 32; writers need two or three. */
#define HOPS_MAX 64

/* Sectors of continuation areas that one record may have: room for a list of attributes. */
#define WINDOWS_MAX 512

#define SIGNATURE(a, b) ((uint32_t)(a) << 8 | (uint32_t)(b))

/* Smallest lengths of the entries that are used. */
enum {
	ENTRY_HEADER = 4,
	CE_LENGTH = 28,
	SP_LENGTH = 7,
	ER_LENGTH = 8,
	PX_LENGTH = 36,
	PX_SERIAL_LENGTH = 44, /* since 1.12 */
	TF_LENGTH = 5,
	NM_LENGTH = 5,
	SL_LENGTH = 5,
	CL_LENGTH = 12,
	SF_LENGTH = 12,
	SF_TABLE_LENGTH = 21, /* since 1.10: a 64-bit size and a depth */
	ZF_LENGTH = 16,
};

/* NM and SL flags, and those of SL's components. */
enum {
	FLAG_CONTINUE = 0x01,
	FLAG_CURRENT = 0x02,
	FLAG_PARENT = 0x04,
	FLAG_ROOT = 0x08,
};

/* TF flags; the stamps stand in this order. */
enum {
	TF_CREATION = 0x01,
	TF_MODIFY = 0x02,
	TF_ACCESS = 0x04,
	TF_ATTRIBUTES = 0x08,
	TF_STAMPS = 0x7f,
	TF_LONG_FORM = 0x80,
};

/* A continuation area. */
struct area {
	uint32_t block, offset, length;
};

static uint32_t both32_at(const uint8_t *p)
{
	both32 v;

	memcpy(&v, p, sizeof v);
	return both32_get(v);
}

void iso_areas_begin(struct iso_areas *areas, const struct iso *iso)
{
	areas->iso = iso;
	areas->records = areas->windows = areas->record_windows = 0;
	areas->off = 0;
	areas->len = 0;
}

/* The len (at most a sector) bytes at off; NULL when they cannot be had. */
static const uint8_t *areas_get(struct iso_areas *areas, uint64_t off, size_t len)
{
	struct dev *dev = areas->iso->dev;

	/*
	 * One record may have 64 areas and a directory two million records: those that are met
	 * in practice have one each.
	 */
	if (++areas->record_windows > WINDOWS_MAX ||
	    ++areas->windows / 4 > areas->records + HOPS_MAX)
		return NULL;
	if (off < areas->off || !range_ok(off - areas->off, len, areas->len)) {
		areas->len = 0;
		areas->off = align_down(off, ISO_SECTOR);
		if (!range_ok(off, len, dev->size) ||
		    dev_pread(dev, areas->data, min64(sizeof areas->data, dev->size - areas->off),
		              areas->off))
			return NULL;
		areas->len = min64(sizeof areas->data, dev->size - areas->off);
	}
	return areas->data + (off - areas->off);
}

static int parse_px(const uint8_t *p, struct iso_susp *susp)
{
	if (p[2] < PX_LENGTH)
		return -EIO;
	susp->mode = both32_at(p + 4);
	susp->nlink = both32_at(p + 12);
	susp->uid = both32_at(p + 20);
	susp->gid = both32_at(p + 28);
	susp->have |= ISO_SUSP_PX;
	if (p[2] >= PX_SERIAL_LENGTH) {
		susp->serial = both32_at(p + 36);
		susp->have |= ISO_SUSP_SERIAL;
	}
	return 0;
}

static int parse_tf(const uint8_t *p, struct iso_susp *susp)
{
	struct timespec stamp;
	size_t at = TF_LENGTH, size;

	if (p[2] < TF_LENGTH)
		return -EIO;
	size = p[4] & TF_LONG_FORM ? 17 : 7;
	for (unsigned bit = TF_CREATION; bit & TF_STAMPS; bit <<= 1) {
		if (!(p[4] & bit))
			continue;
		if (size > p[2] - at)
			return -EIO;
		stamp = size == 17 ? iso_time_long(p + at) : iso_time_short(p + at);
		at += size;
		if (bit == TF_MODIFY) {
			susp->mtime = stamp;
			susp->have |= ISO_SUSP_MTIME;
		} else if (bit == TF_ACCESS) {
			susp->atime = stamp;
			susp->have |= ISO_SUSP_ATIME;
		} else if (bit == TF_ATTRIBUTES) {
			susp->ctime = stamp;
			susp->have |= ISO_SUSP_CTIME;
		}
	}
	return 0;
}

static void name_append(struct iso_susp *susp, const void *p, size_t len)
{
	if (susp->name_len < sizeof susp->name)
		memcpy(susp->name + susp->name_len, p,
		       min64(len, sizeof susp->name - susp->name_len));
	/* One that does not fit is remembered as one byte too long. */
	susp->name_len = min64(susp->name_len + len, sizeof susp->name + 1);
}

static int parse_nm(const uint8_t *p, struct iso_susp *susp)
{
	if (p[2] < NM_LENGTH)
		return -EIO;
	/* A second name that continues none: the first stands. */
	if (susp->have & ISO_SUSP_NM && !susp->name_more)
		return 0;
	if (p[4] & FLAG_CURRENT)
		name_append(susp, ".", 1);
	else if (p[4] & FLAG_PARENT)
		name_append(susp, "..", 2);
	else
		name_append(susp, p + NM_LENGTH, p[2] - NM_LENGTH);
	susp->name_more = p[4] & FLAG_CONTINUE;
	susp->have |= ISO_SUSP_NM;
	return 0;
}

static void link_append(struct iso_susp *susp, const void *p, size_t len)
{
	if (susp->link && susp->link_len < susp->link_size)
		memcpy(susp->link + susp->link_len, p,
		       min64(len, susp->link_size - susp->link_len));
	susp->link_len += len;
}

/* One component of a symbolic link: flags, length, text. */
static void parse_component(const uint8_t *c, struct iso_susp *susp)
{
	if (susp->link_slash)
		link_append(susp, "/", 1);
	susp->link_slash = false;
	switch (c[0] & ~FLAG_CONTINUE) {
	case 0:
		link_append(susp, c + 2, c[1]);
		break;
	case FLAG_CURRENT:
		link_append(susp, ".", 1);
		break;
	case FLAG_PARENT:
		link_append(susp, "..", 2);
		break;
	case FLAG_ROOT:
		link_append(susp, "/", 1);
		return; /* is its own separator */
	default:
		/* Where the volume is mounted, the host's name: nothing that can be known. */
		susp->link_unsupported = true;
	}
	susp->link_slash = !(c[0] & FLAG_CONTINUE);
}

static int parse_sl(const uint8_t *p, struct iso_susp *susp)
{
	size_t at = SL_LENGTH;

	if (p[2] < SL_LENGTH)
		return -EIO;
	if (susp->have & ISO_SUSP_SL && !susp->link_more)
		return 0;
	while (p[2] - at >= 2) {
		if (p[at + 1] > p[2] - at - 2)
			return -EIO;
		parse_component(p + at, susp);
		at += 2u + p[at + 1];
	}
	susp->link_more = p[4] & FLAG_CONTINUE;
	susp->have |= ISO_SUSP_SL;
	return 0;
}

static int parse_er(const uint8_t *p, struct iso_susp *susp)
{
	static const char *const names[] = {"RRIP_1991A", "IEEE_P1282", "IEEE_1282"};

	if (p[2] < ER_LENGTH || p[4] > p[2] - ER_LENGTH)
		return -EIO;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (p[4] == strlen(names[i]) && !memcmp(p + ER_LENGTH, names[i], p[4]))
			susp->have |= ISO_SUSP_RRIP;
	return 0;
}

static int parse_sf(const uint8_t *p, struct iso_susp *susp)
{
	if (p[2] < SF_LENGTH)
		return -EIO;
	susp->sparse_size = both32_at(p + 4);
	if (p[2] >= SF_TABLE_LENGTH)
		susp->sparse_size = susp->sparse_size << 32 | both32_at(p + 12);
	if (susp->sparse_size > DEV_SIZE_MAX)
		return -EIO;
	susp->have |= ISO_SUSP_SF;
	return 0;
}

static int parse_zf(const uint8_t *p, struct iso_susp *susp)
{
	if (p[2] < ZF_LENGTH)
		return -EIO;
	iso_zisofs_entry(p, &susp->zisofs);
	if (susp->zisofs.size > DEV_SIZE_MAX)
		return -EIO;
	susp->have |= ISO_SUSP_ZF;
	return 0;
}

/* One whole entry. */
static int parse_entry(const uint8_t *p, struct iso_susp *susp, struct area *next)
{
	switch (SIGNATURE(p[0], p[1])) {
	case SIGNATURE('C', 'E'):
		if (p[2] < CE_LENGTH)
			return -EIO;
		*next = (struct area){both32_at(p + 4), both32_at(p + 12), both32_at(p + 20)};
		return 0;
	case SIGNATURE('S', 'P'):
		if (p[2] < SP_LENGTH)
			return -EIO;
		if (p[4] == 0xbe && p[5] == 0xef) {
			susp->skip = p[6];
			susp->have |= ISO_SUSP_SP;
		}
		return 0;
	case SIGNATURE('E', 'R'):
		return parse_er(p, susp);
	case SIGNATURE('R', 'R'):
		susp->have |= ISO_SUSP_RRIP;
		return 0;
	case SIGNATURE('P', 'X'):
		return parse_px(p, susp);
	case SIGNATURE('T', 'F'):
		return parse_tf(p, susp);
	case SIGNATURE('N', 'M'):
		return parse_nm(p, susp);
	case SIGNATURE('S', 'L'):
		return parse_sl(p, susp);
	case SIGNATURE('C', 'L'):
		if (p[2] < CL_LENGTH)
			return -EIO;
		susp->child = both32_at(p + 4);
		susp->have |= ISO_SUSP_CL;
		return 0;
	case SIGNATURE('R', 'E'):
		susp->have |= ISO_SUSP_RE;
		return 0;
	case SIGNATURE('Z', 'F'):
	case SIGNATURE('Z', '2'):
		return parse_zf(p, susp);
	case SIGNATURE('S', 'F'):
		return parse_sf(p, susp);
	default:
		/* PL, PN, PD and what others add: nothing that is needed. */
		return 0;
	}
}

/*
 * The entries in len bytes, which are the rest of the area when last is true. *used: how far
 * they went; all of it once the area's end was met, whatever follows.
 */
static int parse_entries(const uint8_t *p, size_t len, bool last, struct iso_susp *susp,
                         struct area *next, size_t *used, bool *ended)
{
	size_t at = 0;
	int r;

	while (len - at >= ENTRY_HEADER) {
		/* Padding, or what an older mastering program left behind. */
		*ended = p[at + 2] < ENTRY_HEADER || (p[at] == 'S' && p[at + 1] == 'T');
		if (*ended)
			return 0;
		if (p[at + 2] > len - at) {
			if (last)
				return -EIO;
			break;
		}
		r = parse_entry(p + at, susp, next);
		if (r)
			return r;
		at += p[at + 2];
	}
	*used = at;
	*ended = last;
	return 0;
}

static int parse_area(struct iso_areas *areas, const struct area *area, struct iso_susp *susp,
                      struct area *next)
{
	uint64_t off = (uint64_t)area->block * areas->iso->block + area->offset;
	uint64_t left = area->length;
	bool ended = left == 0;
	const uint8_t *p;
	size_t len, used = 0;
	int r;

	/* Long attribute lists make areas of many sectors. */
	while (!ended) {
		len = min64(left, ISO_SECTOR);
		p = areas_get(areas, off, len);
		if (!p)
			return -EIO;
		r = parse_entries(p, len, len == left, susp, next, &used, &ended);
		if (r)
			return r;
		if (!ended) {
			off += used;
			left -= used;
		}
	}
	return 0;
}

static bool seen_before(const struct area *seen, size_t count, const struct area *area)
{
	for (size_t i = 0; i < count; i++)
		if (seen[i].block == area->block && seen[i].offset == area->offset)
			return true;
	return false;
}

static void susp_clear(struct iso_susp *susp)
{
	susp->have = 0;
	susp->skip = 0;
	susp->name_len = susp->link_len = 0;
	susp->link_unsupported = false;
	susp->name_more = susp->link_more = susp->link_slash = false;
}

int iso_susp_read(struct iso_areas *areas, const struct iso_record *rec, uint32_t skip,
                  const char *only, size_t only_len, struct iso_susp *susp)
{
	struct area seen[HOPS_MAX], next = {0};
	size_t len, used = 0;
	const uint8_t *p = iso_system_use(rec, &len);
	bool ended = false;
	int r;

	susp_clear(susp);
	areas->records++;
	areas->record_windows = 0;
	if (len <= skip)
		return 0;
	r = parse_entries(p + skip, len - skip, true, susp, &next, &used, &ended);
	for (size_t hops = 0; r == 0 && next.length != 0; hops++) {
		struct area area = next;

		if (only && susp->have & ISO_SUSP_NM && !susp->name_more &&
		    (susp->name_len != only_len || memcmp(susp->name, only, only_len)))
			return 0;
		if (hops == HOPS_MAX || seen_before(seen, hops, &area))
			return -EIO;
		seen[hops] = area;
		next.length = 0;
		r = parse_area(areas, &area, susp, &next);
	}
	return r;
}
