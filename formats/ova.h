/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walking through a tar archive, for ova.c. */
#ifndef PLATTER_OVA_H
#define PLATTER_OVA_H

#include "drivers.h"
#include "ondisk.h"

#define TAR_BLOCK    512u
#define TAR_NAME_MAX 1024u

struct tar {
	struct dev *dev;
	uint64_t next;    /* of the next header */
	unsigned headers; /* seen so far */
	bool unread;      /* that it failed is not the contents' fault */
};

struct tar_member {
	char name[TAR_NAME_MAX];
	uint64_t start, size; /* of its contents */
	bool regular;
	bool sparse; /* its contents are not as they were */
};

/* 0 when an archive may begin here, else DRIVER_NOT_MINE, or -errno with err set. */
int tar_probe(struct dev *dev, struct platter_error *err);

/* The next member: 1, or 0 at the end, or -errno. */
int tar_next(struct tar *tar, struct tar_member *m, struct platter_error *err);

#endif
