/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libblkid wants a file, and our devices are none. It gets a sparse memory file of the right size
 * with the first and the last MiB, where superblocks are, and what boot sectors name: so it works
 * over any container, reads what the overlay holds, and never touches the image itself.
 */
#include "config.h"

#include "fsid.h"

#include <blkid.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ondisk.h"

/* UDF with 4096-byte sectors has its anchor just behind the first MiB. */
#define HEAD      ((uint64_t)(1 << 20) + 65536)
#define TAIL      ((uint64_t)1 << 20)
#define NAMED     ((uint64_t)65536)
#define COPY_STEP ((size_t)64 << 10)

/* A sample in the making. */
struct sample {
	struct dev *dev;
	int fd;
	int error; /* the first one of reading the device */
	char *buf;
};

/* Copy [off, off + len) where it is data, as far as the device goes and can be read. */
static int copy_data(struct sample *s, uint64_t off, uint64_t len)
{
	uint64_t size = s->dev->size, end = off < size ? off + min64(len, size - off) : off;

	while (off < end) {
		struct dev_extent ext;
		uint64_t n;
		int r = dev_extent(s->dev, off, &ext);

		if (r) {
			s->error = s->error ? s->error : r;
			return 0;
		}
		n = min64(ext.length, end - off);
		if (!ext.hole) {
			n = min64(n, COPY_STEP);
			r = dev_pread(s->dev, s->buf, n, off);
			if (r)
				s->error = s->error ? s->error : r;
			else if (pwrite(s->fd, s->buf, n, (off_t)off) != (ssize_t)n)
				return -ENOSPC;
		}
		off += n;
	}
	return 0;
}

/* A place that a boot sector names: unit * number, none when that is absurd. */
static void name_place(uint64_t place[2], size_t i, uint64_t base, uint64_t unit, uint64_t number)
{
	uint64_t at;

	if (ckd_mul64(&at, unit, number) && ckd_add64(&at, at, base))
		place[i] = at;
}

/*
 * Where libblkid looks beside the first and last MiB, for types and labels: NTFS's MFT, the root
 * directories of FAT32 and exFAT and exFAT's FAT. Wrong numbers only copy the wrong bytes.
 */
static void places_named(const uint8_t b[512], uint64_t place[2])
{
	uint64_t sector = le16_at(b + 11), cluster = sector * b[13];

	if (memcmp(b + 3, "NTFS    ", 8) == 0) {
		name_place(place, 0, 0, cluster, le64_at(b + 48));
	} else if (memcmp(b + 3, "EXFAT   ", 8) == 0 && b[108] <= 12 && b[109] <= 25 - b[108]) {
		uint64_t heap = (uint64_t)le32_at(b + 88) << b[108];

		name_place(place, 0, 0, (uint64_t)1 << b[108], (uint64_t)le32_at(b + 80));
		name_place(place, 1, heap, (uint64_t)1 << (b[108] + b[109]),
		           (uint64_t)le32_at(b + 96) - 2);
	} else if (memcmp(b + 82, "FAT32   ", 8) == 0) {
		uint64_t data = (le16_at(b + 14) + b[16] * (uint64_t)le32_at(b + 36)) * sector;

		name_place(place, 0, data, cluster, (uint64_t)le32_at(b + 44) - 2);
	}
}

static int fill_sample(struct sample *s)
{
	uint64_t size = s->dev->size, head = min64(HEAD, size);
	uint64_t place[2] = {0, 0};
	uint8_t boot[512];
	int r = ftruncate(s->fd, (off_t)size) < 0 ? -errno : 0;

	if (!r)
		r = copy_data(s, 0, head);
	if (!r)
		r = copy_data(s, max64(head, size - min64(TAIL, size)), TAIL);
	if (r || size < sizeof boot || dev_pread(s->dev, boot, sizeof boot, 0) != 0)
		return r;
	places_named(boot, place);
	for (size_t i = 0; i < 2 && !r; i++)
		if (place[i])
			r = copy_data(s, place[i], NAMED);
	return r;
}

static int make_sample(struct dev *dev, struct sample *s)
{
	int r;

	*s = (struct sample){.dev = dev, .fd = memfd_create("platter-probe", MFD_CLOEXEC)};
	if (s->fd < 0)
		return -errno;
	s->buf = malloc(COPY_STEP);
	r = s->buf ? fill_sample(s) : -ENOMEM;
	free(s->buf);
	if (r)
		close(s->fd);
	return r;
}

static const struct fs_driver *driver_for(const char *type)
{
	for (size_t i = 0; fs_drivers[i]; i++)
		if (strcmp(fs_drivers[i]->name, type) == 0)
			return fs_drivers[i];
	return NULL;
}

static void copy_value(blkid_probe pr, const char *name, char *out, size_t size)
{
	const char *value;

	out[0] = '\0';
	if (blkid_probe_lookup_value(pr, name, &value, NULL) == 0)
		snprintf(out, size, "%s", value);
}

static void take(blkid_probe pr, struct fsid *id)
{
	char usage[32];

	copy_value(pr, "TYPE", id->type, sizeof id->type);
	copy_value(pr, "LABEL", id->label, sizeof id->label);
	copy_value(pr, "UUID", id->uuid, sizeof id->uuid);
	copy_value(pr, "USAGE", usage, sizeof usage);
	id->filesystem = strcmp(usage, "filesystem") == 0;
	id->driver = driver_for(id->type);
}

static int ask_blkid(int fd, struct fsid *id)
{
	blkid_probe pr = blkid_new_probe();
	int r;

	if (!pr)
		return -ENOMEM;
	if (blkid_probe_set_device(pr, fd, 0, 0) != 0) {
		blkid_free_probe(pr);
		return -EIO;
	}
	blkid_probe_enable_superblocks(pr, 1);
	blkid_probe_set_superblocks_flags(pr, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_LABEL |
	                                              BLKID_SUBLKS_UUID | BLKID_SUBLKS_USAGE);
	r = blkid_do_safeprobe(pr);
	if (r == 0) {
		take(pr, id);
	} else if (r == -2) {
		/* Several signatures: the first in libblkid's order, as on a bridge disc. */
		blkid_reset_probe(pr);
		if (blkid_do_probe(pr) == 0)
			take(pr, id);
	}
	blkid_free_probe(pr);
	return 0;
}

int fsid_identify(struct dev *dev, struct fsid *id)
{
	struct sample s;
	int r;

	memset(id, 0, sizeof *id);
	if (dev->size == 0)
		return 0;
	r = make_sample(dev, &s);
	if (r) { /* a limit on file sizes is one on memory files too: then nothing is known */
		id->error = r;
		return r == -ENOMEM ? r : 0;
	}
	r = ask_blkid(s.fd, id);
	close(s.fd);
	/* A disc's other tree, or something that libblkid misses. */
	for (size_t i = 0; fs_drivers[i] && !r && !id->driver; i++) {
		if (!fs_drivers[i]->probe(dev))
			continue;
		id->driver = fs_drivers[i];
		id->filesystem = true;
		if (!id->type[0])
			snprintf(id->type, sizeof id->type, "%s", fs_drivers[i]->name);
	}
	/* What could not be read may be what would have told. */
	if (!id->type[0])
		id->error = s.error;
	return r;
}
