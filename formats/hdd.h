/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the Parallels bundle driver share. See hdd.c for the format. */
#ifndef PLATTER_HDD_H
#define PLATTER_HDD_H

#include "drivers.h"

#define HDD_SECTOR ((uint64_t)512)

/* More than any disk has: pieces of 2 GiB each, and snapshots that a chain cannot hold anyway. */
#define HDD_STORAGES_MAX 256
#define HDD_IMAGES_MAX   1024
#define HDD_SHOTS_MAX    256

/* "{12345678-9abc-def1-2345-6789abcdef12}" */
typedef char hdd_guid[40];

/* A stretch of the disk, of which each snapshot has an image. */
struct hdd_storage {
	uint64_t start, end; /* sectors */
};

struct hdd_image {
	size_t storage;
	hdd_guid guid; /* of the snapshot */
	bool plain;    /* else expanding */
	char file[256];
};

struct hdd_shot {
	hdd_guid guid, parent;
};

/* DiskDescriptor.xml. */
struct hdd_descriptor {
	uint64_t sectors;
	hdd_guid top;
	struct hdd_storage *storages;
	struct hdd_image *images;
	struct hdd_shot *shots;
	size_t nstorages, nimages, nshots;
};

/* Read it; what it holds is to be freed by hdd_descriptor_free, also on failure. */
int hdd_descriptor_read(struct dev *file, struct hdd_descriptor *d, struct platter_error *err);
void hdd_descriptor_free(struct hdd_descriptor *d);

/* Whether the GUIDs are the same: without regard to case. */
bool hdd_same(const char *a, const char *b);

/* The parent of a snapshot, NULL when it is a root or there is no such. */
const char *hdd_parent(const struct hdd_descriptor *d, const char *guid);

#endif
