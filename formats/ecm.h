/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where in an ECM file its sectors are: ecm-index.c finds out, ecm.c serves them. */
#ifndef PLATTER_ECM_H
#define PLATTER_ECM_H

#include "cdsector.h"
#include "drivers.h"

enum ecm_kind {
	ECM_BYTES,   /* no sectors: a file in which nothing was left out */
	ECM_LITERAL, /* sectors as they were */
	ECM_CODED,   /* data at equal distances */
	ECM_HEADED,  /* the same, each behind its sector's header in a record of its own */
};

/* Sectors, or bytes, that are stored alike, one after the other. */
struct ecm_stretch {
	uint64_t first;  /* sector (byte) */
	uint64_t off;    /* of it in the file */
	uint32_t period; /* from one to the next */
	uint8_t skip;    /* before the data */
	uint8_t type;    /* of the records, for ECM_HEADED */
	uint8_t kind;
};

struct ecm {
	struct dev *file;
	struct ecm_stretch *stretches;
	size_t count;
	uint64_t sectors;        /* or bytes */
	struct cd_layout layout; /* of what is literal; .stored 0: bytes */
};

/* A mode 2 sector: 16 literal bytes, the sync and header, then a record of one sector. */
#define ECM_HEAD_RECORD 0x3c
#define ECM_HEAD_BYTES  18u

/* Whether p begins with those, of a record of that type; *address as its header says. */
bool ecm_head(const uint8_t p[ECM_HEAD_BYTES], unsigned type, uint64_t *address);

/* Fill in ecm->stretches and what follows them. */
int ecm_index(struct ecm *ecm, struct platter_error *err);

#endif
