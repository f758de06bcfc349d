/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ZIP archive with its 64-bit records (PKWARE's APPNOTE.TXT 6.3, sections 4.3.7 to 4.3.16), as
 * far as AFF4 uses it: members that are stored or deflated, in one file.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "aff4.h"

struct local_header {
	uint8_t signature[4];    /* +0x00 "PK\3\4" */
	uint8_t unused[22];      /* +0x04 what the directory says as well */
	le16 file_name_length;   /* +0x1a */
	le16 extra_field_length; /* +0x1c */
};
_Static_assert(sizeof(struct local_header) == 30, "APPNOTE 4.3.7");

struct central_header {
	uint8_t signature[4];     /* +0x00 "PK\1\2" */
	uint8_t versions[4];      /* +0x04 */
	le16 flags;               /* +0x08 */
	le16 compression_method;  /* +0x0a */
	uint8_t time_crc[8];      /* +0x0c */
	le32 compressed_size;     /* +0x14 */
	le32 uncompressed_size;   /* +0x18 */
	le16 file_name_length;    /* +0x1c */
	le16 extra_field_length;  /* +0x1e */
	le16 file_comment_length; /* +0x20 */
	uint8_t unused[8];        /* +0x22 */
	le32 header_offset;       /* +0x2a */
};
_Static_assert(sizeof(struct central_header) == 46, "APPNOTE 4.3.12");

struct zip64_end {
	uint8_t signature[4]; /* +0x00 "PK\6\6" */
	uint8_t unused[28];   /* +0x04 */
	le64 entries;         /* +0x20 */
	le64 size;            /* +0x28 of the central directory */
	le64 offset;          /* +0x30 */
};
_Static_assert(sizeof(struct zip64_end) == 56, "APPNOTE 4.3.14");

struct zip64_locator {
	uint8_t signature[4]; /* +0x00 "PK\6\7" */
	uint8_t disk[4];      /* +0x04 */
	le64 offset;          /* +0x08 of the record */
	uint8_t disks[4];     /* +0x10 */
};
_Static_assert(sizeof(struct zip64_locator) == 20, "APPNOTE 4.3.15");

struct end {
	uint8_t signature[4]; /* +0x00 "PK\5\6" */
	uint8_t disks[6];     /* +0x04 */
	le16 entries;         /* +0x0a */
	le32 size;            /* +0x0c of the central directory */
	le32 offset;          /* +0x10 */
	le16 comment_length;  /* +0x14 */
};
_Static_assert(sizeof(struct end) == 22, "APPNOTE 4.3.16");

#define COMMENT_MAX 65535u
#define ENCRYPTED   1u
#define ZIP64_EXTRA 1u
#define STORED      0u
#define DEFLATED    8u
/* A member takes about 110 bytes there, and 64 MiB of a disk are two to four members. */
#define DIRECTORY_MAX ((size_t)32 << 20)

static bool is_signed(const void *p, char a, char b)
{
	const char *s = p;

	return s[0] == 'P' && s[1] == 'K' && s[2] == a && s[3] == b;
}

/* Find the end record: it and the archive's comment are the last bytes of the file. */
static int find_end(struct aff4_zip *zip, struct end *end, uint64_t *where,
                    struct platter_error *err)
{
	size_t len = (size_t)min64(zip->dev->size, sizeof *end + COMMENT_MAX);
	uint8_t *tail = malloc(len);
	size_t at, comment;
	int r = tail ? 0 : -ENOMEM;

	if (!r)
		r = dev_pread(zip->dev, tail, len, zip->dev->size - len);
	if (r) {
		free(tail);
		return err_set(err, -r, "its last %zu bytes: %s", len, strerror(-r));
	}
	r = -ENOENT;
	for (at = len < sizeof *end ? 0 : len - sizeof *end + 1; r && at-- > 0;) {
		memcpy(end, tail + at, sizeof *end);
		comment = le16_get(end->comment_length);
		if (is_signed(end->signature, 5, 6) && at + sizeof *end + comment == len)
			r = 0;
	}
	if (!r) {
		*where = zip->dev->size - len + at;
		comment = (size_t)min64(le16_get(end->comment_length), sizeof zip->comment - 1);
		memcpy(zip->comment, tail + at + sizeof *end, comment);
		zip->comment[comment] = '\0';
	}
	free(tail);
	return r;
}

/* Where the central directory is: as the 64-bit record says, where there is one. */
static int find_directory(struct aff4_zip *zip, const struct end *end, uint64_t where,
                          uint64_t *off, uint64_t *len, struct platter_error *err)
{
	struct zip64_locator locator;
	struct zip64_end record;
	int r;

	*off = le32_get(end->offset);
	*len = le32_get(end->size);
	zip->count = le16_get(end->entries);
	if (where < sizeof locator)
		return 0;
	r = dev_pread(zip->dev, &locator, sizeof locator, where - sizeof locator);
	if (r)
		return err_set(err, -r, "what is before the archive's end record: %s",
		               strerror(-r));
	if (!is_signed(locator.signature, 6, 7))
		return 0;
	if (dev_pread(zip->dev, &record, sizeof record, le64_get(locator.offset)) ||
	    !is_signed(record.signature, 6, 6))
		return err_set(err, EIO, "no end record of the archive at %" PRIu64,
		               le64_get(locator.offset));
	*off = le64_get(record.offset);
	*len = le64_get(record.size);
	zip->count = le64_get(record.entries);
	return 0;
}

/* The member that tells what it is, which comes first. */
static const char first_name[] = "container.description";

#define HEAD (sizeof(struct local_header) + sizeof first_name - 1)

/* Whether it begins with that member, or (the comment) ends as what it is. */
static bool is_aff4(const char head[HEAD], const char *comment)
{
	return strncmp(comment, "aff4://", 7) == 0 ||
	       memcmp(head + sizeof(struct local_header), first_name, sizeof first_name - 1) == 0;
}

int aff4_zip_open(struct dev *dev, struct aff4_zip *zip, struct platter_error *err)
{
	uint64_t where = 0, off = 0, len = 0;
	char head[HEAD];
	struct end end;
	void *table;
	int r;

	*zip = (struct aff4_zip){.dev = dev};
	memset(&end, 0, sizeof end);
	r = image_read_head(dev, head, sizeof head, err);
	if (r)
		return r;
	if (!is_signed(head, 3, 4))
		return DRIVER_NOT_MINE;
	r = find_end(zip, &end, &where, err);
	if (r && r != -ENOENT)
		return r;
	if (!is_aff4(head, zip->comment))
		return DRIVER_NOT_MINE;
	if (r == -ENOENT)
		return err_set(err, EIO,
		               "no end record of an archive in the last bytes: it was cut "
		               "short or not finished");
	if (!r)
		r = find_directory(zip, &end, where, &off, &len, err);
	if (!r)
		r = dev_read_table(dev, off, len, 1, DIRECTORY_MAX, "the archive's directory",
		                   &table, err);
	if (!r && !table)
		r = err_set(err, EIO, "an archive of no members");
	if (r)
		return r;
	zip->directory = table;
	zip->length = (size_t)len;
	/* What it says is no reason to allocate as much. */
	zip->count = min64(zip->count, len / sizeof(struct central_header));
	return 0;
}

void aff4_zip_close(struct aff4_zip *zip)
{
	free(zip->directory);
	zip->directory = NULL;
}

/* The 64-bit forms of what does not fit 32 bits, in this order, as far as they are needed. */
static bool read_extra(const uint8_t *extra, size_t len, struct aff4_member *member)
{
	uint64_t *const fields[] = {&member->size, &member->packed, &member->header};
	le16 id, size;
	size_t at = 4;

	for (; len >= 4; extra += at, len -= at) {
		memcpy(&id, extra, 2);
		memcpy(&size, extra + 2, 2);
		at = 4;
		if (le16_get(size) > len - 4)
			return true; /* what some writers leave there */
		for (size_t i = 0; le16_get(id) == ZIP64_EXTRA && i < 3; i++) {
			le64 v;

			if (*fields[i] != UINT32_MAX)
				continue;
			if (at + 8 > 4u + le16_get(size))
				return false;
			memcpy(&v, extra + at, 8);
			*fields[i] = le64_get(v);
			at += 8;
		}
		at = 4u + le16_get(size);
	}
	return true;
}

int aff4_zip_next(const struct aff4_zip *zip, size_t *at, struct aff4_member *member,
                  const char **name, size_t *len)
{
	size_t left = zip->length - *at, nlen, elen, clen;
	const uint8_t *p = zip->directory + *at;
	struct central_header h;

	if (left == 0)
		return -ENOENT;
	if (left < sizeof h)
		return -EIO;
	memcpy(&h, p, sizeof h);
	nlen = le16_get(h.file_name_length);
	elen = le16_get(h.extra_field_length);
	clen = le16_get(h.file_comment_length);
	if (!is_signed(h.signature, 1, 2) || left - sizeof h < nlen + elen + clen)
		return -EIO;
	*member = (struct aff4_member){
		.header = le32_get(h.header_offset),
		.packed = le32_get(h.compressed_size),
		.size = le32_get(h.uncompressed_size),
		/* What cannot be read has a method that there is not. */
		.method = le16_get(h.flags) & ENCRYPTED ? 0xffff : le16_get(h.compression_method),
	};
	if (!read_extra(p + sizeof h + nlen, elen, member))
		return -EIO;
	*name = (const char *)p + sizeof h;
	*len = nlen;
	*at += sizeof h + nlen + elen + clen;
	return 0;
}

int aff4_zip_find(const struct aff4_zip *zip, const char *name, struct aff4_member *member,
                  struct platter_error *err)
{
	const char *found;
	size_t at = 0, len;
	int r;

	while ((r = aff4_zip_next(zip, &at, member, &found, &len)) == 0)
		if (len == strlen(name) && memcmp(found, name, len) == 0)
			return 0;
	if (r == -ENOENT)
		return err_set(err, ENOENT, "no \"%s\" in the archive", name);
	return err_set(err, EIO, "the archive's directory is damaged at byte %zu of %zu", at,
	               zip->length);
}

int aff4_member_start(struct dev *dev, const struct aff4_member *member, uint64_t *start)
{
	struct local_header h;
	int r = dev_pread(dev, &h, sizeof h, member->header);

	if (r)
		return r;
	if (!is_signed(h.signature, 3, 4))
		return -EIO;
	*start = member->header + sizeof h + le16_get(h.file_name_length) +
	         le16_get(h.extra_field_length);
	return range_ok(*start, member->packed, dev->size) ? 0 : -EIO;
}

int aff4_member_read(struct dev *dev, const struct aff4_member *member, void *out)
{
	uint64_t start;
	void *packed;
	int r = aff4_member_start(dev, member, &start);

	if (r)
		return r;
	if (member->method == STORED)
		return member->packed == member->size
		               ? dev_pread(dev, out, (size_t)member->size, start)
		               : -EIO;
	if (member->method != DEFLATED)
		return -EOPNOTSUPP;
	/* It cannot get much larger; and what is unpacked has a limit already. */
	if (member->packed > member->size + member->size / 8 + 64)
		return -EIO;
	packed = malloc((size_t)member->packed + 1);
	if (!packed)
		return -ENOMEM;
	r = dev_pread(dev, packed, (size_t)member->packed, start);
	if (!r)
		r = codec_unpack(CODEC_DEFLATE, packed, (size_t)member->packed, out,
		                 (size_t)member->size);
	free(packed);
	return r;
}

int aff4_zip_load(const struct aff4_zip *zip, const char *name, size_t max, char **out, size_t *len,
                  struct platter_error *err)
{
	struct aff4_member member;
	int r = aff4_zip_find(zip, name, &member, err);

	*out = NULL;
	if (r)
		return r;
	if (member.size > max)
		return err_set(err, EFBIG, "\"%s\" has %" PRIu64 " bytes, at most %zu", name,
		               member.size, max);
	*len = (size_t)member.size;
	*out = malloc(*len + 1);
	if (!*out)
		return err_set(err, ENOMEM, "no memory");
	r = aff4_member_read(zip->dev, &member, *out);
	if (r) {
		free(*out);
		*out = NULL;
		return err_set(err, -r, "\"%s\" in the archive cannot be read: %s", name,
		               strerror(-r));
	}
	(*out)[*len] = '\0';
	return 0;
}
