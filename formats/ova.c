/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * OVA: a virtual machine in one file (DMTF DSP0243, Open Virtualization Format, 5.3 and 7.2): a tar
 * archive of the machine's description, NAME.ovf, of a manifest with checksums, NAME.mf, and of its
 * disks, which usually are VMDK streams.
 *
 * A disk stands in the archive as it is, so that what this maps is the file that it was. Which of
 * several is meant has to be said. The description is not read: what is a disk, names tell.
 */
#include "config.h"

#include "ova.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "text.h"

/* The description comes first; a few members of others are looked past. */
#define LOOK_MAX     16
#define DISKS_MAX    255 /* the number goes into one byte of image_format_id */
#define MANIFEST_MAX ((uint64_t)64 << 10)

struct disk {
	struct tar_member member;
	bool in_parts;
};

struct ova {
	struct dev *file;
	struct disk *disks; /* while it is opened */
	size_t ndisks;
	struct tar_member manifest; /* size 0: none */
	uint64_t start, size;       /* of the chosen disk */
};

/* ---- names ---- */

static const char *base_name(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash ? slash + 1 : name;
}

static bool ends_in(const char *name, size_t len, const char *suffix)
{
	size_t n = strlen(suffix);

	return len > n && strncasecmp(name + len - n, suffix, n) == 0;
}

/* The length of a name without what says that the file is compressed, or the first of several. */
static size_t stem(const char *name, bool *in_parts)
{
	size_t len = strlen(name);

	*in_parts = ends_in(name, len, ".000000000");
	if (*in_parts)
		return len - strlen(".000000000");
	return ends_in(name, len, ".gz") ? len - strlen(".gz") : len;
}

static bool is_disk(const char *name, bool *in_parts)
{
	static const char *const suffixes[] = {
		".vmdk", ".vdi", ".vhd", ".vhdx", ".qcow2", ".qcow", ".img", ".raw", ".iso",
	};
	size_t len = stem(name, in_parts);

	for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
		if (ends_in(name, len, suffixes[i]))
			return true;
	return false;
}

/* ---- the members ---- */

static int add_disk(struct ova *ova, const struct tar_member *m, bool in_parts,
                    struct platter_error *err)
{
	struct disk *more = ova->disks;

	if (ova->ndisks == DISKS_MAX)
		return err_set(err, E2BIG, "more than %d disks", DISKS_MAX);
	if ((ova->ndisks & (ova->ndisks - 1)) == 0)
		more = reallocarray(more, ova->ndisks ? ova->ndisks * 2 : 1, sizeof *more);
	if (!more)
		return err_set(err, ENOMEM, "no memory");
	ova->disks = more;
	more[ova->ndisks++] = (struct disk){*m, in_parts};
	return 0;
}

/* Until a description was seen, it may be an archive of anything: not ours, whatever is wrong with
 * it. What cannot be read may be one. */
static int find_members(struct ova *ova, struct platter_error *err)
{
	struct tar tar = {.dev = ova->file};
	struct tar_member m;
	bool described = false, in_parts;
	int r;

	for (unsigned i = 0; (r = tar_next(&tar, &m, err)) > 0; i++) {
		size_t len = strlen(m.name);

		if (!described && i == LOOK_MAX)
			return DRIVER_NOT_MINE;
		if (!m.regular)
			continue;
		described = described || ends_in(m.name, len, ".ovf");
		if (ends_in(m.name, len, ".mf"))
			ova->manifest = m;
		r = is_disk(m.name, &in_parts) ? add_disk(ova, &m, in_parts, err) : 0;
		if (r)
			break;
	}
	return described || tar.unread || r == -ENOMEM ? r : DRIVER_NOT_MINE;
}

/* ---- the choice ---- */

static int refuse_several(const struct ova *ova, struct platter_error *err)
{
	char list[700];
	size_t n = 0;

	for (size_t i = 0; i < ova->ndisks && n < sizeof list; i++) {
		const char *name = base_name(ova->disks[i].member.name);
		char shown[128];

		text_plain(name, strlen(name), shown, sizeof shown);
		n += (size_t)snprintf(list + n, sizeof list - n, "%s %zu (%s)", i ? "," : "", i + 1,
		                      shown);
	}
	return err_set(err, ENOTUNIQ, "holds %zu disks, choose one with -o disk=N:%s", ova->ndisks,
	               list);
}

static int choose(const struct ova *ova, struct image *image, const struct disk **disk,
                  struct platter_error *err)
{
	if (ova->ndisks == 0)
		return err_set(err, ENOENT, "holds no disk");
	if (!image->disk_number && ova->ndisks > 1)
		return refuse_several(ova, err);
	if (!image->disk_number)
		image->disk_number = 1;
	if (image->disk_number > ova->ndisks)
		return err_set(err, ENOENT, "has no disk %u, only 1 to %zu", image->disk_number,
		               ova->ndisks);
	*disk = &ova->disks[image->disk_number - 1];
	return 0;
}

static int check_disk(const struct ova *ova, const struct disk *disk, struct platter_error *err)
{
	const struct tar_member *m = &disk->member;
	const char *why = NULL;
	uint8_t magic[2] = {0};
	char shown[128];
	int r = 0;

	text_plain(m->name, strlen(m->name), shown, sizeof shown);
	if (m->size >= sizeof magic)
		r = dev_pread(ova->file, magic, sizeof magic, m->start);
	if (r)
		return err_set(err, -r, "disk %s cannot be read: %s", shown, strerror(-r));
	if (disk->in_parts)
		why = "is in several parts";
	else if (m->sparse)
		why = "was archived as a sparse file";
	else if (magic[0] == 0x1f && magic[1] == 0x8b)
		why = "is compressed by gzip";
	if (!why)
		return 0;
	return err_set(err, ENOTSUP, "disk %s %s, which is not supported: unpack the archive",
	               shown, why);
}

/* ---- the manifest ---- */

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_hex(const char *text, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		int high = digit(text[2 * i]), low = high < 0 ? -1 : digit(text[2 * i + 1]);

		if (low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return !isalnum((unsigned char)text[2 * len]);
}

/* A line is "SHA256(disk.vmdk)= 0123...", with blanks here and there. */
static bool parse_sum(char *line, const char *name, struct image_sum *sum)
{
	static const struct {
		const char *written, *digest;
		size_t bytes;
	} digests[] = {{"SHA1", "sha1", 20}, {"SHA256", "sha256", 32}, {"SHA512", "sha512", 64}};
	char *open = strchr(line, '('), *close = open ? strrchr(open, ')') : NULL;

	if (!close)
		return false;
	*open = *close = '\0';
	for (size_t i = 0; i < sizeof digests / sizeof *digests; i++) {
		size_t n = strlen(digests[i].written);

		if (strncasecmp(line, digests[i].written, n) != 0 ||
		    line[n + strspn(line + n, " ")] != '\0' || strcmp(open + 1, name) != 0)
			continue;
		sum->digest = digests[i].digest;
		close += 1 + strspn(close + 1, " =");
		return parse_hex(close, sum->value, digests[i].bytes);
	}
	return false;
}

/* Report the checksum of the disk. A manifest that cannot be made sense of is none. */
static int add_sums(struct ova *ova, struct image *image, const char *disk)
{
	const struct tar_member *m = &ova->manifest;
	char *text, *line, *rest;
	int r = 0;

	if (m->size == 0 || m->size > MANIFEST_MAX || m->sparse)
		return 0;
	text = rest = calloc(1, (size_t)m->size + 1);
	if (!text)
		return -ENOMEM;
	r = dev_pread(ova->file, text, (size_t)m->size, m->start);
	while (!r && (line = strsep(&rest, "\r\n"))) {
		struct image_sum sum = {.length = ova->size};

		if (!parse_sum(line, base_name(disk), &sum))
			continue;
		text_plain(base_name(disk), strlen(base_name(disk)), sum.what, sizeof sum.what);
		r = image_add_sum(image, &sum);
	}
	free(text);
	return r;
}

/* ---- the driver ---- */

static int fill_in(struct ova *ova, struct image *image, struct platter_error *err)
{
	const struct disk *disk = NULL;
	int r = find_members(ova, err);

	if (!r)
		r = choose(ova, image, &disk, err);
	if (!r)
		r = check_disk(ova, disk, err);
	if (r)
		return r;
	ova->start = disk->member.start;
	ova->size = disk->member.size;
	r = add_sums(ova, image, disk->member.name);
	return r ? err_set(err, -r, "its manifest: %s", strerror(-r)) : 0;
}

static void ova_close(void *self)
{
	struct ova *ova = self;

	free(ova->disks);
	free(ova);
}

static int ova_open(struct image *image, struct platter_error *err)
{
	struct ova *ova;
	int r = tar_probe(image->file, err);

	if (r)
		return r;
	ova = calloc(1, sizeof *ova);
	if (!ova)
		return err_set(err, ENOMEM, "no memory");
	ova->file = image->file;
	r = fill_in(ova, image, err);
	free(ova->disks);
	ova->disks = NULL;
	if (r) {
		ova_close(ova);
		return r;
	}
	image->self = ova;
	image->size = ova->size;
	return 0;
}

static int ova_map(void *self, uint64_t node, uint64_t off, struct run *run)
{
	const struct ova *ova = self;

	(void)node;
	*run = (struct run){
		.kind = RUN_RAW,
		.length = ova->size - off,
		.dev = ova->file,
		.offset = ova->start + off,
	};
	return 0;
}

const struct format_driver format_ova = {
	.name = "ova",
	.id = 36,
	.wraps = true,
	.disks = true,
	.open = ova_open,
	.map = ova_map,
	.close = ova_close,
};
