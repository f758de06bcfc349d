/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log of a VHDX, [MS-VHDX] 2.3: updates of its metadata that whoever had it open may not have
 * written in place. They are read here and laid over the file, which stays as it is.
 *
 * The log is a ring of sectors of 4 KiB. An entry is a header, descriptors (so many bytes of zeros
 * at some offset, or 4 KiB of data) and a sector for each of the data; a sector's first 8 and last
 * 4 bytes stand in its descriptor, so that marks and sequence numbers can take their place and tell
 * a torn write. Entries whose sequence numbers rise by one, each where the one before ends, are a
 * sequence; it holds if the tail that its last entry names is in it. Of those that hold, the one
 * with the highest number is replayed, from its tail on. An entry at the end that is torn is thus
 * not there: what it says was never written in place.
 *
 * When no entry is good, none of them has gone any further, and the file is whole as it stands.
 * When there are good ones but no sequence that holds, the log is damaged.
 *
 * What an entry's header and descriptors say is compared with its sectors before anything is summed
 * up. All sectors of an entry but the first thus begin with other marks than an entry does, so that
 * entries that get that far do not overlap and the work is bounded by the log's length.
 */
#include "config.h"

#include "vhdx.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "crc32c.h"

#define SECTOR ((size_t)4096)

/* 32 times what Windows makes. */
#define LOG_MAX ((uint32_t)32 << 20)

/* Updates to lay over the file: a log of 1 MiB has room for half of that. */
#define UPDATES_MAX ((size_t)65536)

/* [MS-VHDX] 2.3.1.1 */
struct entry_header {
	uint8_t signature[4];     /* +0x00 "loge" */
	le32 checksum;            /* +0x04 CRC-32C of the entry, itself being zero */
	le32 entry_length;        /* +0x08 */
	le32 tail;                /* +0x0c offset in the log */
	le64 sequence_number;     /* +0x10 */
	le32 descriptor_count;    /* +0x18 */
	le32 reserved;            /* +0x1c */
	uint8_t log_guid[16];     /* +0x20 */
	le64 flushed_file_offset; /* +0x30 */
	le64 last_file_offset;    /* +0x38 */
};
_Static_assert(sizeof(struct entry_header) == 64, "[MS-VHDX] 2.3.1.1");

/* [MS-VHDX] 2.3.1.2 and 2.3.1.3: zero and data descriptors. */
struct descriptor {
	uint8_t signature[4]; /* +0x00 "zero" or "desc" */
	le32 trailing_bytes;  /* +0x04 of data only */
	le64 leading_bytes;   /* +0x08 of data; of zeros: their length */
	le64 file_offset;     /* +0x10 */
	le64 sequence_number; /* +0x18 */
};
_Static_assert(sizeof(struct descriptor) == 32, "[MS-VHDX] 2.3.1.2");

/* [MS-VHDX] 2.3.1.4 */
struct data_sector {
	uint8_t data_signature[4]; /* +0x000 "data" */
	le32 sequence_high;        /* +0x004 */
	uint8_t data[4084];        /* +0x008 */
	le32 sequence_low;         /* +0xffc */
};
_Static_assert(sizeof(struct data_sector) == SECTOR, "[MS-VHDX] 2.3.1.4");

/* What is known of the sector of that number. */
struct entry {
	bool good;    /* an entry begins here */
	bool follows; /* another one leads to it */
	uint32_t sectors, tail;
	uint64_t sequence;
};

struct log {
	uint8_t *bytes;
	uint32_t sectors;
	uint8_t guid[16];
	struct entry *at; /* for each sector */
};

static uint8_t *sector_at(const struct log *log, uint64_t sector)
{
	return log->bytes + sector % log->sectors * SECTOR;
}

static void header_at(const struct log *log, uint32_t sector, struct entry_header *h)
{
	memcpy(h, sector_at(log, sector), sizeof *h);
}

static void descriptor_at(const struct log *log, uint32_t entry, uint32_t i, struct descriptor *d)
{
	size_t at = sizeof(struct entry_header) + (size_t)i * sizeof *d;

	memcpy(d, sector_at(log, entry + at / SECTOR) + at % SECTOR, sizeof *d);
}

/* How many sectors a header and its descriptors take. */
static uint64_t head_sectors(uint32_t descriptors)
{
	return (sizeof(struct entry_header) + (uint64_t)descriptors * sizeof(struct descriptor) +
	        SECTOR - 1) /
	       SECTOR;
}

/* ---- which entries are good ---- */

static bool is_data(const struct descriptor *d)
{
	return memcmp(d->signature, "desc", 4) == 0;
}

static bool descriptor_good(const struct descriptor *d, uint64_t sequence)
{
	if (!is_data(d) &&
	    (memcmp(d->signature, "zero", 4) != 0 || le64_get(d->leading_bytes) % SECTOR != 0))
		return false;
	return le64_get(d->sequence_number) == sequence && le64_get(d->file_offset) % SECTOR == 0;
}

static bool data_good(const struct data_sector *s, uint64_t sequence)
{
	return memcmp(s->data_signature, "data", 4) == 0 &&
	       le32_get(s->sequence_high) == sequence >> 32 &&
	       le32_get(s->sequence_low) == (uint32_t)sequence;
}

/* Whether descriptors and data are there as the header says, but for the checksum. */
static bool parts_good(const struct log *log, uint32_t sector, const struct entry_header *h)
{
	uint64_t sequence = le64_get(h->sequence_number);
	uint32_t count = le32_get(h->descriptor_count);
	uint64_t next = head_sectors(count), all = le32_get(h->entry_length) / SECTOR;

	if (next > all)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		struct descriptor d;

		descriptor_at(log, sector, i, &d);
		if (!descriptor_good(&d, sequence))
			return false;
		next += is_data(&d);
	}
	if (next != all)
		return false;
	for (next = head_sectors(count); next < all; next++)
		if (!data_good((struct data_sector *)sector_at(log, sector + next), sequence))
			return false;
	return true;
}

/* 1: the checksum is right. 0, or -ENOMEM: an entry may go over the end of the ring. */
static int checksum_good(const struct log *log, uint32_t sector, const struct entry_header *h)
{
	uint32_t count = le32_get(h->entry_length) / SECTOR;
	uint8_t *copy = malloc(count * SECTOR);
	bool good;

	if (!copy)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		memcpy(copy + i * SECTOR, sector_at(log, (uint64_t)sector + i), SECTOR);
	memset(copy + offsetof(struct entry_header, checksum), 0, sizeof h->checksum);
	good = sum_matches(crc32c(copy, count * SECTOR), le32_get(h->checksum));
	free(copy);
	return good;
}

static int look(struct log *log, uint32_t sector)
{
	struct entry_header h;
	uint32_t length;
	int r;

	header_at(log, sector, &h);
	length = le32_get(h.entry_length);
	if (memcmp(h.signature, "loge", 4) != 0 || memcmp(h.log_guid, log->guid, 16) != 0 ||
	    length == 0 || length % SECTOR || length / SECTOR > log->sectors ||
	    le32_get(h.tail) % SECTOR || le32_get(h.tail) / SECTOR >= log->sectors ||
	    le64_get(h.sequence_number) == 0 || !parts_good(log, sector, &h))
		return 0;
	r = checksum_good(log, sector, &h);
	if (r > 0)
		log->at[sector] = (struct entry){
			.good = true,
			.sectors = length / (uint32_t)SECTOR,
			.tail = le32_get(h.tail) / (uint32_t)SECTOR,
			.sequence = le64_get(h.sequence_number),
		};
	return r < 0 ? r : 0;
}

/* ---- which sequence counts ---- */

/* The entry that continues the sequence behind the one at sector; false: none does. */
static bool next_entry(const struct log *log, uint32_t sector, uint32_t *next)
{
	const struct entry *e = &log->at[sector];

	*next = (sector + e->sectors) % log->sectors;
	return log->at[*next].good && log->at[*next].sequence == e->sequence + 1;
}

/* The last entry of the sequence that begins at first; whether the sequence holds. */
static bool sequence_holds(const struct log *log, uint32_t first, uint32_t *head)
{
	uint32_t at, next;

	for (at = first; next_entry(log, at, &next); at = next)
		;
	*head = at;
	for (at = first; at != log->at[*head].tail; at = next)
		if (!next_entry(log, at, &next))
			return false;
	return true;
}

/* 0 and *tail and *head; -ENOENT: no entry is good; -EINVAL: no sequence holds. */
static int find_active(struct log *log, uint32_t *tail, uint32_t *head)
{
	int r = -ENOENT;
	uint64_t best = 0;

	for (uint32_t s = 0; s < log->sectors; s++) {
		uint32_t next;

		if (!log->at[s].good)
			continue;
		r = -EINVAL;
		if (next_entry(log, s, &next))
			log->at[next].follows = true;
	}
	for (uint32_t s = 0; s < log->sectors; s++) {
		uint32_t last;

		if (!log->at[s].good || log->at[s].follows || !sequence_holds(log, s, &last) ||
		    log->at[last].sequence <= best)
			continue;
		best = log->at[last].sequence;
		*head = last;
		*tail = log->at[last].tail;
	}
	return best ? 0 : r;
}

/* ---- what it updates ---- */

struct updates {
	struct vhdx_patch *patches;
	uint8_t *pages;
	size_t count, npages;
	uint64_t end; /* of the last one in the file */
};

static void count_updates(const struct log *log, uint32_t tail, uint32_t head, struct updates *u)
{
	for (uint32_t at = tail, next;; at = next) {
		struct entry_header h;
		uint32_t n;

		header_at(log, at, &h);
		n = le32_get(h.descriptor_count);
		u->count += n;
		u->npages += log->at[at].sectors - head_sectors(n);
		if (at == head)
			return;
		next_entry(log, at, &next);
	}
}

/* A data sector as it was before marks took the place of its ends. */
static void restore(const struct descriptor *d, const uint8_t *sector, uint8_t *page)
{
	memcpy(page, sector, SECTOR);
	memcpy(page, d->leading_bytes.b, sizeof d->leading_bytes);
	memcpy(page + SECTOR - sizeof d->trailing_bytes, d->trailing_bytes.b,
	       sizeof d->trailing_bytes);
}

static int add_updates(const struct log *log, uint32_t sector, struct updates *u,
                       struct platter_error *err)
{
	struct entry_header h;
	uint64_t data;

	header_at(log, sector, &h);
	data = head_sectors(le32_get(h.descriptor_count));
	for (uint32_t i = 0; i < le32_get(h.descriptor_count); i++) {
		struct vhdx_patch *p = &u->patches[u->count++];
		struct descriptor d;

		descriptor_at(log, sector, i, &d);
		*p = (struct vhdx_patch){le64_get(d.file_offset), le64_get(d.leading_bytes), NULL};
		if (is_data(&d)) {
			uint8_t *page = u->pages + u->npages++ * SECTOR;

			restore(&d, sector_at(log, sector + data++), page);
			p->length = SECTOR;
			p->bytes = page;
		}
		if (!range_ok(p->offset, p->length, DEV_SIZE_MAX))
			return err_set(err, EINVAL, "its log updates %" PRIu64 " bytes at %" PRIu64,
			               p->length, p->offset);
		u->end = max64(u->end, p->offset + p->length);
	}
	return 0;
}

static int collect(const struct log *log, uint32_t tail, uint32_t head, struct updates *u,
                   struct platter_error *err)
{
	int r = 0;

	count_updates(log, tail, head, u);
	if (u->count > UPDATES_MAX)
		return err_set(err, EFBIG, "its log holds %zu updates, at most %zu", u->count,
		               UPDATES_MAX);
	u->patches = calloc(u->count + 1, sizeof *u->patches);
	u->pages = malloc((u->npages + 1) * SECTOR);
	if (!u->patches || !u->pages)
		return err_set(err, ENOMEM, "no memory");
	u->count = u->npages = 0;
	for (uint32_t at = tail, next; !r; at = next) {
		r = add_updates(log, at, u, err);
		if (at == head)
			break;
		next_entry(log, at, &next);
	}
	return r;
}

/* Lay the updates of that sequence over the file. */
static int replay(struct image *image, const struct log *log, uint32_t tail, uint32_t head,
                  struct dev **out, struct platter_error *err)
{
	struct dev *file = image->file;
	struct updates u = {0};
	struct entry_header h;
	uint64_t last;
	int r;

	header_at(log, head, &h);
	last = le64_get(h.last_file_offset);
	if (le64_get(h.flushed_file_offset) > file->size)
		return err_set(err, EINVAL,
		               "the file has %" PRIu64 " bytes, %" PRIu64
		               " when its log was written",
		               file->size, le64_get(h.flushed_file_offset));
	r = collect(log, tail, head, &u, err);
	if (!r && (last > DEV_SIZE_MAX || u.end > max64(last, file->size)))
		r = err_set(err, EINVAL,
		            "its log updates bytes up to %" PRIu64 " of a file of %" PRIu64, u.end,
		            last);
	if (r) {
		free(u.pages);
	} else {
		r = vhdx_patch_dev(file, max64(last, file->size), u.patches, u.count, u.pages, out);
		if (r)
			err_set(err, -r, "no memory");
		else
			image_note(image,
			           "was not closed: %zu updates from its log are applied in "
			           "memory",
			           u.count);
	}
	free(u.patches);
	return r;
}

/* ---- the log as a whole ---- */

static int check_place(const struct vhdx_header *header, struct platter_error *err)
{
	uint64_t offset = le64_get(header->log_offset);
	uint32_t length = le32_get(header->log_length);

	if (le16_get(header->log_version) != 0)
		return err_set(err, ENOTSUP,
		               "was not closed, and its log has version %u, expected 0",
		               le16_get(header->log_version));
	if (length == 0 || length % VHDX_MIB || length > LOG_MAX || offset < VHDX_MIB ||
	    offset % VHDX_MIB)
		return err_set(err, EINVAL,
		               "its log has %" PRIu32 " bytes at %" PRIu64
		               ", expected whole MiB, at most %" PRIu32,
		               length, offset, LOG_MAX);
	return 0;
}

static int use_log(struct image *image, struct log *log, struct dev **out,
                   struct platter_error *err)
{
	uint32_t tail = 0, head = 0;
	int r = 0;

	log->at = calloc(log->sectors, sizeof *log->at);
	if (!log->at)
		return err_set(err, ENOMEM, "no memory");
	for (uint32_t s = 0; s < log->sectors && !r; s++)
		r = look(log, s);
	if (r)
		return err_set(err, -r, "no memory");
	r = find_active(log, &tail, &head);
	if (r == -EINVAL)
		return err_set(err, EINVAL,
		               "its log is damaged: the entry that its last one names "
		               "as the first to replay is not there");
	if (r == 0)
		return replay(image, log, tail, head, out, err);
	image_note(image, "was not closed; nothing in its log is whole");
	*out = dev_ref(image->file);
	return 0;
}

int vhdx_log_replay(struct image *image, const struct vhdx_header *header, struct dev **out,
                    struct platter_error *err)
{
	static const uint8_t none[16];
	uint32_t length = le32_get(header->log_length);
	struct log log = {.sectors = length / (uint32_t)SECTOR};
	void *bytes;
	int r;

	if (memcmp(header->log_guid, none, sizeof none) == 0) {
		*out = dev_ref(image->file);
		return 0;
	}
	r = check_place(header, err);
	if (!r)
		r = dev_read_table(image->file, le64_get(header->log_offset), length, 1, LOG_MAX,
		                   "its log", &bytes, err);
	if (r)
		return r;
	log.bytes = bytes;
	memcpy(log.guid, header->log_guid, sizeof log.guid);
	r = use_log(image, &log, out, err);
	free(log.at);
	free(log.bytes);
	return r;
}
