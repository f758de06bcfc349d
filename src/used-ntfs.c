/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What NTFS marks as free. There is no specification in public; what is used of the format here is
 * what Linux's documentation of it and the headers of its drivers agree on. Little-endian.
 *
 * The boot sector tells where the master file table ($MFT) begins, whose records are files: record
 * 0 is the table itself, 2 the journal, 3 the volume, 6 the bitmap of all clusters. A record is a
 * header and attributes; of attributes too large for it there is the list of their runs. At the end
 * of each sector of a record two bytes are replaced by a number, the same in all of them, so that a
 * record that was written in part is found; what they were stands in front.
 *
 * Relied on is only a volume that is not marked dirty and whose journal was closed.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ondisk.h"
#include "used-fs.h"

#define STRIDE      512 /* what the two bytes are at the end of */
#define RECORD_MAX  65536
#define CLUSTER_MAX ((uint64_t)2 << 20)

enum { RECORD_MFT = 0, RECORD_LOG = 2, RECORD_VOLUME = 3, RECORD_BITMAP = 6 };

#define ATTR_LIST   0x20u
#define ATTR_VOLUME 0x70u
#define ATTR_DATA   0x80u
#define ATTR_END    0xffffffffu
#define ATTR_PLAIN  0xc0ffu /* flags that would make the contents something else than its runs */

#define RECORD_IN_USE 1u
#define VOLUME_UNSAFE                                                                              \
	0x8007u /* dirty, log to be resized, to be upgraded, chkdsk has been there                 \
	         */

#define LOG_PAGE      4096
#define LOG_NO_CLIENT 0xffffu
#define LOG_CLEAN     2u

struct ntfs_boot {
	uint8_t jump[3];
	char oem_id[8];
	uint8_t bytes_per_sector[2];
	uint8_t sectors_per_cluster;
	uint8_t unused[26];
	le64 number_of_sectors;
	le64 mft_lcn;
	le64 mftmirr_lcn;
	int8_t clusters_per_mft_record; /* negative: the power of two of its bytes */
};
_Static_assert(offsetof(struct ntfs_boot, number_of_sectors) == 40, "number_of_sectors");
_Static_assert(offsetof(struct ntfs_boot, clusters_per_mft_record) == 64, "mft record");

struct ntfs_record {
	char magic[4];
	le16 usa_ofs;
	le16 usa_count;
	le64 lsn;
	le16 sequence_number;
	le16 link_count;
	le16 attrs_offset;
	le16 flags;
	le32 bytes_in_use;
	le32 bytes_allocated;
};
_Static_assert(sizeof(struct ntfs_record) == 32, "record");

struct ntfs_attr {
	le32 type;
	le32 length;
	uint8_t non_resident;
	uint8_t name_length;
	le16 name_offset;
	le16 flags;
	le16 instance;
	union {
		struct {
			le32 value_length;
			le16 value_offset;
			uint8_t unused[42];
		} resident;
		struct {
			le64 lowest_vcn;
			le64 highest_vcn;
			le16 mapping_pairs_offset;
			uint8_t unused[6];
			le64 allocated_size;
			le64 data_size;
			le64 initialized_size;
		} runs;
	};
};
_Static_assert(offsetof(struct ntfs_attr, runs.data_size) == 48, "data_size");
_Static_assert(sizeof(struct ntfs_attr) == 64, "attribute");

struct ntfs_volume {
	uint8_t unused[8];
	uint8_t major, minor;
	le16 flags;
};
_Static_assert(sizeof(struct ntfs_volume) == 12, "volume information");

/* The first page of the journal, and the second. */
struct ntfs_restart {
	char magic[4];
	le16 usa_ofs;
	le16 usa_count;
	le64 chkdsk_lsn;
	le32 system_page_size;
	le32 log_page_size;
	le16 restart_area_offset;
};

struct ntfs_restart_area {
	le64 current_lsn;
	le16 log_clients;
	le16 client_free_list;
	le16 client_in_use_list;
	le16 flags;
};
_Static_assert(sizeof(struct ntfs_restart_area) == 16, "restart area");

/* [vcn, vcn + count) of a file are clusters from lcn on. */
struct run {
	uint64_t vcn, lcn, count;
};

struct runs {
	struct run *list; /* in the order of vcn, without gaps */
	size_t count;
	uint64_t size; /* bytes that the file has, and that were written */
};

struct ntfs {
	struct dev *part;
	uint64_t cluster, clusters;
	uint32_t record; /* bytes */
	struct runs mft, bitmap;

	uint64_t window; /* byte of the bitmap that .bytes begins with, UINT64_MAX: none is held */
	uint8_t bytes[65536];
};

/* ---- files ---- */

/* A signed number of n bytes. */
static int64_t get_signed(const uint8_t *p, unsigned n)
{
	uint64_t v = n && p[n - 1] & 0x80 ? UINT64_MAX : 0;

	while (n)
		v = v << 8 | p[--n];
	return (int64_t)v;
}

/*
 * A run is a byte of two lengths, then its count and its distance from the run before, of that many
 * bytes; a byte of 0 ends the list. A run without a distance would be a hole: none of the files
 * that are read here may have any.
 */
static int read_runs(const struct ntfs *f, const uint8_t *p, const uint8_t *stop, struct runs *out)
{
	uint64_t vcn = 0, lcn = 0;

	/* A run takes three bytes or more. */
	out->list = calloc((size_t)(stop - p) / 3 + 1, sizeof *out->list);
	if (!out->list)
		return -ENOMEM;
	while (p < stop && *p) {
		unsigned n = *p & 15, d = *p >> 4;
		int64_t count;

		if (n == 0 || n > 8 || d == 0 || d > 8 || stop - p < 1 + (ptrdiff_t)(n + d))
			return -EIO;
		count = get_signed(p + 1, n);
		lcn += (uint64_t)get_signed(p + 1 + n, d);
		if (count <= 0 || !range_ok(lcn, (uint64_t)count, f->clusters))
			return -EIO;
		out->list[out->count++] = (struct run){vcn, lcn, (uint64_t)count};
		vcn += (uint64_t)count;
		p += 1 + n + d;
	}
	return vcn >= (out->size + f->cluster - 1) / f->cluster ? 0 : -EIO;
}

static int read_file(const struct ntfs *f, const struct runs *r, void *buf, size_t len,
                     uint64_t off)
{
	char *p = buf;

	if (!range_ok(off, len, r->size))
		return -EIO;
	for (size_t i = 0; i < r->count && len; i++) {
		const struct run *run = &r->list[i];
		uint64_t start = run->vcn * f->cluster, bytes = run->count * f->cluster;
		size_t n;
		int e;

		if (off - start >= bytes) /* also in front, which it is not */
			continue;
		n = (size_t)min64(len, bytes - (off - start));
		e = dev_pread(f->part, p, n, run->lcn * f->cluster + (off - start));
		if (e)
			return e;
		p += n;
		off += n;
		len -= n;
	}
	return len ? -EIO : 0;
}

/* ---- records ---- */

/* Put back what stood at the end of each sector. */
static int fix_up(uint8_t *record, uint32_t size)
{
	struct ntfs_record h;
	uint32_t at, count;

	memcpy(&h, record, sizeof h);
	at = le16_get(h.usa_ofs);
	count = le16_get(h.usa_count);
	if (memcmp(h.magic, "FILE", 4) != 0 || count != size / STRIDE + 1 || at < sizeof h ||
	    at + 2 * count > STRIDE - 2)
		return -EIO;
	for (uint32_t i = 1; i < count; i++) {
		if (memcmp(record + i * STRIDE - 2, record + at, 2) != 0)
			return -EIO;
		memcpy(record + i * STRIDE - 2, record + at + 2 * i, 2);
	}
	return 0;
}

/* Find the attribute without a name of that type; *raw is where it stands. The record holds all of
 * it: *a is a copy of its header, and raw + the length in that lies inside. */
static int find_attr(const struct ntfs *f, const uint8_t *record, uint32_t type,
                     struct ntfs_attr *a, const uint8_t **raw)
{
	struct ntfs_record h;
	uint32_t at, len;
	bool found = false;

	memcpy(&h, record, sizeof h);
	if (!(le16_get(h.flags) & RECORD_IN_USE))
		return -EIO;
	for (at = le16_get(h.attrs_offset); range_ok(at, 8, f->record); at += len) {
		struct ntfs_attr now = {0};

		memcpy(&now, record + at, min64(sizeof now, f->record - at));
		if (le32_get(now.type) == ATTR_END)
			return found ? 0 : -EIO;
		len = le32_get(now.length);
		if (len < 24 || len % 8 || !range_ok(at, len, f->record))
			return -EIO;
		/* Then other records have the rest of it. */
		if (le32_get(now.type) == ATTR_LIST)
			return -ENOTSUP;
		if (le32_get(now.type) != type || now.name_length || found)
			continue;
		*a = now;
		*raw = record + at;
		found = true;
	}
	return -EIO;
}

/* Where the contents of the file in record are. */
static int find_data(const struct ntfs *f, const uint8_t *record, struct runs *out)
{
	struct ntfs_attr a;
	const uint8_t *raw;
	uint32_t at, len;
	int r = find_attr(f, record, ATTR_DATA, &a, &raw);

	if (r)
		return r;
	at = le16_get(a.runs.mapping_pairs_offset);
	len = le32_get(a.length);
	if (!a.non_resident || (le16_get(a.flags) & ATTR_PLAIN) || len < sizeof a || at > len ||
	    le64_get(a.runs.lowest_vcn))
		return -EIO;
	out->size = min64(le64_get(a.runs.data_size), le64_get(a.runs.initialized_size));
	if (out->size > f->clusters * f->cluster)
		return -EIO;
	return read_runs(f, raw + at, raw + len, out);
}

static int read_record(const struct ntfs *f, uint64_t number, uint8_t *record)
{
	int r = read_file(f, &f->mft, record, f->record, number * f->record);

	return r ? r : fix_up(record, f->record);
}

/* ---- opening ---- */

static int read_boot(struct ntfs *f, uint64_t *mft, struct platter_error *err)
{
	struct ntfs_boot b;
	int r = dev_pread(f->part, &b, sizeof b, 0), size;
	uint32_t sector, per;

	if (r)
		return err_set(err, -r, "its boot sector: %s", strerror(-r));
	sector = b.bytes_per_sector[0] | (uint32_t)b.bytes_per_sector[1] << 8;
	/* 128 and less as it is, then 256 - n for 2 to the n. */
	per = b.sectors_per_cluster <= 128 ? b.sectors_per_cluster
	                                   : 1u << (256 - b.sectors_per_cluster) % 32;
	f->cluster = (uint64_t)sector * per;
	size = b.clusters_per_mft_record;
	f->record = size > 0 ? (uint32_t)min64((uint64_t)size * f->cluster, UINT32_MAX)
	                     : 1u << (-size % 32);
	if (!is_pow2(sector) || sector < 256 || !is_pow2(per) || f->cluster > CLUSTER_MAX ||
	    !is_pow2(f->record) || f->record < 1024 || f->record > RECORD_MAX)
		return err_set(err, EINVAL, "clusters of %u sectors of %u bytes, records of %u",
		               per, sector, f->record);
	f->clusters = le64_get(b.number_of_sectors) / per;
	*mft = le64_get(b.mft_lcn);
	if (f->clusters > f->part->size / f->cluster || *mft >= f->clusters)
		return err_set(err, EINVAL, "%llu clusters of %llu bytes in %llu bytes",
		               (unsigned long long)f->clusters, (unsigned long long)f->cluster,
		               (unsigned long long)f->part->size);
	return 0;
}

/* Of the restart page at off: whether it is one, how new it is, and whether it was closed. */
static bool read_restart(const uint8_t *page, uint64_t *lsn, bool *clean)
{
	struct ntfs_restart_area area;
	struct ntfs_restart h;
	uint32_t at;

	memcpy(&h, page, sizeof h);
	at = le16_get(h.restart_area_offset);
	if (memcmp(h.magic, "RSTR", 4) != 0 || !range_ok(at, sizeof area, STRIDE - 2))
		return false;
	memcpy(&area, page + at, sizeof area);
	*lsn = le64_get(area.current_lsn);
	*clean = le16_get(area.client_in_use_list) == LOG_NO_CLIENT ||
	         (le16_get(area.flags) & LOG_CLEAN);
	return true;
}

/* Whether nothing in the journal waits to be done. */
static int check_log(const struct ntfs *f, uint8_t *record)
{
	uint8_t pages[2 * LOG_PAGE];
	uint64_t lsn[2] = {0, 0};
	bool is[2], clean[2] = {false, false};
	struct runs log = {0};
	int r = read_record(f, RECORD_LOG, record);

	if (!r)
		r = find_data(f, record, &log);
	if (!r)
		r = read_file(f, &log, pages, sizeof pages, 0);
	free(log.list);
	if (r)
		return r;
	/* An emptied journal is all ones. */
	if (le32_get(*(const le32 *)pages) == UINT32_MAX)
		return 0;
	for (int i = 0; i < 2; i++)
		is[i] = read_restart(pages + i * LOG_PAGE, &lsn[i], &clean[i]);
	if (is[0] && is[1])
		return clean[lsn[1] > lsn[0]] ? 0 : -EBUSY;
	return (is[0] && clean[0]) || (is[1] && clean[1]) ? 0 : -EBUSY;
}

static int check_volume(const struct ntfs *f, uint8_t *record)
{
	struct ntfs_volume v;
	struct ntfs_attr a;
	const uint8_t *raw;
	int r = read_record(f, RECORD_VOLUME, record);

	if (!r)
		r = find_attr(f, record, ATTR_VOLUME, &a, &raw);
	if (r)
		return r;
	if (a.non_resident ||
	    !range_ok(le16_get(a.resident.value_offset), sizeof v, le32_get(a.length)))
		return -EIO;
	memcpy(&v, raw + le16_get(a.resident.value_offset), sizeof v);
	return le16_get(v.flags) & VOLUME_UNSAFE ? -EBUSY : 0;
}

static int open_files(struct ntfs *f, uint64_t mft, uint8_t *record, struct platter_error *err)
{
	/* The first record tells where all of them are. */
	int r = dev_pread(f->part, record, f->record, mft * f->cluster);

	if (!r)
		r = fix_up(record, f->record);
	if (!r)
		r = find_data(f, record, &f->mft);
	if (r)
		return err_set(err, -r, "$MFT: %s", strerror(-r));
	r = check_volume(f, record);
	if (!r)
		r = check_log(f, record);
	if (r)
		return err_set(err, -r, "%s",
		               r == -EBUSY ? "it was not unmounted cleanly, or has errors"
		                           : "$Volume or $LogFile cannot be read");
	r = read_record(f, RECORD_BITMAP, record);
	if (!r)
		r = find_data(f, record, &f->bitmap);
	if (!r && f->bitmap.size < (f->clusters + 7) / 8)
		r = -EIO;
	return r ? err_set(err, -r, "$Bitmap: %s", strerror(-r)) : 0;
}

static void ntfs_close(void *self)
{
	struct ntfs *f = self;

	free(f->mft.list);
	free(f->bitmap.list);
	free(f);
}

static int ntfs_open(struct dev *part, void **self, struct platter_error *err)
{
	struct ntfs *f = calloc(1, sizeof *f);
	uint8_t *record = malloc(RECORD_MAX);
	uint64_t mft = 0;
	int r;

	if (!f || !record) {
		free(f);
		free(record);
		return err_set(err, ENOMEM, "no memory");
	}
	f->part = part;
	f->window = UINT64_MAX;
	r = read_boot(f, &mft, err);
	if (!r)
		r = open_files(f, mft, record, err);
	free(record);
	if (r)
		ntfs_close(f);
	else
		*self = f;
	return r;
}

/* ---- the bitmap ---- */

static int get_bit(struct ntfs *f, uint64_t n, bool *used, struct platter_error *err)
{
	uint64_t at = align_down(n / 8, sizeof f->bytes);

	if (f->window != at) {
		size_t len = (size_t)min64(sizeof f->bytes, (f->clusters + 7) / 8 - at);
		int r = read_file(f, &f->bitmap, f->bytes, len, at);

		f->window = r ? UINT64_MAX : at;
		if (r)
			return err_set(err, -r, "$Bitmap: %s", strerror(-r));
	}
	*used = f->bytes[n / 8 - at] >> n % 8 & 1;
	return 0;
}

static int ntfs_next(void *self, uint64_t off, uint64_t *begin, uint64_t *end,
                     struct platter_error *err)
{
	struct ntfs *f = self;
	uint64_t n = off / f->cluster, from;
	bool used = true;
	int r = 0;

	for (; n < f->clusters; n++) {
		r = get_bit(f, n, &used, err);
		if (r)
			return r;
		if (!used)
			break;
	}
	if (n >= f->clusters)
		return -ENXIO;
	for (from = n; n < f->clusters && n - from < STRETCH_MAX && !used && !r; n++)
		r = n + 1 < f->clusters ? get_bit(f, n + 1, &used, err) : 0;
	*begin = from * f->cluster;
	*end = n * f->cluster;
	return r;
}

const struct used_fs used_ntfs = {ntfs_open, ntfs_next, ntfs_close};
