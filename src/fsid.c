/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libblkid wants a file, and our devices are none. It gets a sparse memory file of the right size
 * with the first and the last MiB, where superblocks are: so it works over any container, reads
 * what the overlay holds, and never touches the image itself.
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

#define SAMPLE    ((uint64_t)1 << 20)
#define COPY_STEP ((size_t)64 << 10)

/* Copy [off, end) where it is data. What cannot be read stays zeros: then it is not recognised. */
static int copy_data(struct dev *dev, int fd, char *buf, uint64_t off, uint64_t end)
{
	while (off < end) {
		struct dev_extent ext;
		uint64_t n;

		if (dev_extent(dev, off, &ext) != 0)
			return 0;
		n = min64(ext.length, end - off);
		if (!ext.hole) {
			n = min64(n, COPY_STEP);
			if (dev_pread(dev, buf, n, off) == 0 &&
			    pwrite(fd, buf, n, (off_t)off) != (ssize_t)n)
				return -ENOSPC;
		}
		off += n;
	}
	return 0;
}

static int make_sample(struct dev *dev, int *out)
{
	int fd = memfd_create("platter-probe", MFD_CLOEXEC), r = 0;
	char *buf = malloc(COPY_STEP);
	uint64_t head = min64(SAMPLE, dev->size);

	if (fd < 0 || !buf)
		r = -ENOMEM;
	else if (ftruncate(fd, (off_t)dev->size) < 0)
		r = -errno;
	if (!r)
		r = copy_data(dev, fd, buf, 0, head);
	if (!r)
		r = copy_data(dev, fd, buf, max64(head, dev->size - head), dev->size);
	free(buf);
	if (r && fd >= 0)
		close(fd);
	*out = r ? -1 : fd;
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
	int fd, r;

	memset(id, 0, sizeof *id);
	if (dev->size == 0)
		return 0;
	r = make_sample(dev, &fd);
	if (r)
		return r;
	r = ask_blkid(fd, id);
	close(fd);
	if (r || id->driver)
		return r;
	/* A disc's other tree, or something that libblkid misses. */
	for (size_t i = 0; fs_drivers[i]; i++) {
		if (!fs_drivers[i]->probe(dev))
			continue;
		id->driver = fs_drivers[i];
		id->filesystem = true;
		if (!id->type[0])
			snprintf(id->type, sizeof id->type, "%s", fs_drivers[i]->name);
		break;
	}
	return 0;
}
