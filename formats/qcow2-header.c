/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qcow2: the header, its extensions and its feature bits ("Header", "Header extensions"). */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "qcow2.h"
#include "text.h"

#define MAGIC           "QFI\xfb"
#define V2_LENGTH       72u
#define V3_LENGTH       104u
#define CLUSTER_BITS    9u  /* to ... */
#define CLUSTER_BITS_TO 21u /* QEMU's limit */
#define EXTENDED_FROM   14u /* cluster bits with extended L2 entries */

#define KNOWN                                                                                      \
	(QCOW2_DIRTY | QCOW2_CORRUPT | QCOW2_DATA_FILE | QCOW2_COMPRESSION | QCOW2_EXTENDED_L2)

#define EXT_END            0u
#define EXT_BACKING_FORMAT 0xe2792acau
#define EXT_FEATURE_NAMES  0x6803f857u
#define EXT_DATA_FILE      0x44415441u

struct extension {
	be32 type;
	be32 length; /* of the data that follows, which is padded to 8 */
};
_Static_assert(sizeof(struct extension) == 8, "Header extensions");

struct feature_name {
	uint8_t type; /* 0: incompatible */
	uint8_t bit;
	char name[46]; /* padded with zeros */
};
_Static_assert(sizeof(struct feature_name) == 48, "Feature name table");

/* ---- the header ---- */

static int check_length(const struct qcow2_header *h, uint64_t size, struct platter_error *err)
{
	uint32_t length = be32_get(h->header_length), bits = be32_get(h->cluster_bits);

	if (bits < CLUSTER_BITS || bits > CLUSTER_BITS_TO)
		return err_set(err, EINVAL, "cluster_bits is %u, expected %u to %u", bits,
		               CLUSTER_BITS, CLUSTER_BITS_TO);
	if (be32_get(h->version) == 2)
		return 0;
	if (length < V3_LENGTH || length > 1u << bits)
		return err_set(err, EINVAL, "a header of %u bytes, expected %u to the cluster's %u",
		               length, V3_LENGTH, 1u << bits);
	if (length > size)
		return err_set(err, EIO, "a header of %u bytes, the file has %llu", length,
		               (unsigned long long)size);
	return 0;
}

int qcow2_read_header(struct dev *file, struct qcow2_header *h, struct platter_error *err)
{
	uint32_t version, length;
	int r;

	memset(h, 0, sizeof *h);
	r = image_read_head(file, h, sizeof h->magic, err);
	if (r)
		return r;
	if (memcmp(&h->magic, MAGIC, sizeof h->magic) != 0)
		return DRIVER_NOT_MINE;
	r = image_read_head(file, h, (size_t)min64(sizeof *h, file->size), err);
	if (r)
		return r;
	version = be32_get(h->version);
	if (version == 1)
		return DRIVER_NOT_MINE;
	if (file->size < (version == 2 ? V2_LENGTH : V3_LENGTH))
		return err_set(err, EIO, "cut off in its header, after %llu bytes",
		               (unsigned long long)file->size);
	if (version != 2 && version != 3)
		return err_set(err, ENOTSUP, "qcow version %u, expected 1, 2 or 3", version);
	r = check_length(h, file->size, err);
	if (r)
		return r;
	/* What lies behind the header's own length is not the header's. */
	length = version == 2 ? V2_LENGTH : be32_get(h->header_length);
	if (length < sizeof *h)
		memset((char *)h + length, 0, sizeof *h - length);
	h->header_length = be32_put(length);
	return 0;
}

/* ---- extensions ---- */

/* The string of an extension, terminated; the first of two counts. */
static int take_string(char **out, const uint8_t *data, uint32_t length, const char *what,
                       struct platter_error *err)
{
	if (*out || length == 0)
		return 0;
	if (memchr(data, '\0', length))
		return err_set(err, EINVAL, "the %s in its header holds a NUL", what);
	*out = calloc(1, (size_t)length + 1);
	if (!*out)
		return err_set(err, ENOMEM, "no memory");
	memcpy(*out, data, length);
	return 0;
}

static int take_extension(struct qcow2_extensions *x, uint32_t type, const uint8_t *data,
                          uint32_t length, struct platter_error *err)
{
	switch (type) {
	case EXT_BACKING_FORMAT:
		return take_string(&x->backing_format, data, length, "backing file's format", err);
	case EXT_DATA_FILE:
		return take_string(&x->data_file, data, length, "data file's name", err);
	case EXT_FEATURE_NAMES:
		if (x->feature_names || length == 0)
			return 0;
		x->feature_names = malloc(length);
		if (!x->feature_names)
			return err_set(err, ENOMEM, "no memory");
		memcpy(x->feature_names, data, length);
		x->feature_names_length = length;
		return 0;
	default:
		return 0;
	}
}

static int walk(const uint8_t *area, uint64_t size, struct qcow2_extensions *x,
                struct platter_error *err)
{
	uint64_t at = 0;

	while (size - at >= sizeof(struct extension)) {
		struct extension ext;
		uint32_t length;
		int r;

		memcpy(&ext, area + at, sizeof ext);
		at += sizeof ext;
		length = be32_get(ext.length);
		if (be32_get(ext.type) == EXT_END)
			return 0;
		if (length > size - at)
			return err_set(
				err, EINVAL,
				"header extension 0x%08x has %u bytes, there is room for %llu",
				be32_get(ext.type), length, (unsigned long long)(size - at));
		r = take_extension(x, be32_get(ext.type), area + at, length, err);
		if (r)
			return r;
		at = min64(align_up(at + length, 8), size);
	}
	return 0;
}

int qcow2_read_extensions(struct dev *file, const struct qcow2_header *h,
                          struct qcow2_extensions *x, struct platter_error *err)
{
	uint64_t from = be32_get(h->header_length), name = be64_get(h->backing_file_offset);
	uint64_t to = min64((uint64_t)1 << be32_get(h->cluster_bits), file->size);
	void *area;
	int r;

	/* The backing file's name ends them. */
	if (name && name < to)
		to = name;
	if (to <= from)
		return 0;
	r = dev_read_table(file, from, to - from, 1, to - from, "the area of header extensions",
	                   &area, err);
	if (!r)
		r = walk(area, to - from, x, err);
	free(area);
	return r;
}

void qcow2_free_extensions(struct qcow2_extensions *x)
{
	free(x->backing_format);
	free(x->data_file);
	free(x->feature_names);
}

/* ---- features ---- */

/* The image's own name for an incompatible feature, "" when it has none. */
static void name_of(const struct qcow2_extensions *x, unsigned bit, char *out, size_t size)
{
	out[0] = '\0';
	for (uint32_t at = 0; x->feature_names_length - at >= sizeof(struct feature_name);
	     at += (uint32_t)sizeof(struct feature_name)) {
		struct feature_name f;

		memcpy(&f, x->feature_names + at, sizeof f);
		if (f.type == 0 && f.bit == bit) {
			text_plain(f.name, strnlen(f.name, sizeof f.name), out, size);
			return;
		}
	}
}

static int check_encryption(const struct qcow2_header *h, struct platter_error *err)
{
	uint32_t method = be32_get(h->crypt_method);

	if (method == 0)
		return 0;
	if (method > 2)
		return err_set(err, EOPNOTSUPP, "encrypted, by the unknown method %u", method);
	return err_set(err, EOPNOTSUPP, "encrypted (%s), which cannot be read",
	               method == 1 ? "AES" : "LUKS");
}

static int check_compression(const struct qcow2_header *h, struct platter_error *err)
{
	bool flagged = be64_get(h->incompatible_features) & QCOW2_COMPRESSION;

	if (flagged != (h->compression_type != 0))
		return err_set(err, EINVAL,
		               "compression type %u, but the feature bit that goes with it is %s",
		               h->compression_type, flagged ? "set" : "not set");
	if (h->compression_type > 1)
		return err_set(err, EOPNOTSUPP,
		               "compression type %u, expected 0 (deflate) or 1 (zstd)",
		               h->compression_type);
	return codec_require(flagged ? CODEC_ZSTD : CODEC_DEFLATE, err);
}

int qcow2_check_features(const struct qcow2_header *h, const struct qcow2_extensions *x,
                         struct platter_error *err)
{
	uint64_t incompatible = be64_get(h->incompatible_features);
	uint32_t bits = be32_get(h->cluster_bits);
	char name[64];
	int r;

	if (incompatible & ~KNOWN) {
		unsigned bit = (unsigned)__builtin_ctzll(incompatible & ~KNOWN);

		name_of(x, bit, name, sizeof name);
		return err_set(err, EOPNOTSUPP, "needs a feature that is not supported: %s%sbit %u",
		               name, name[0] ? ", " : "", bit);
	}
	r = check_encryption(h, err);
	if (!r)
		r = check_compression(h, err);
	if (!r && (incompatible & QCOW2_EXTENDED_L2) && bits < EXTENDED_FROM)
		r = err_set(err, EINVAL, "cluster_bits is %u, with extended L2 entries at least %u",
		            bits, EXTENDED_FROM);
	return r;
}
