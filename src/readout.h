/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading stretches of a device from the front to the end, in pieces that come in order while
 * threads read (and so unpack) those behind them.
 */
#ifndef PLATTER_READOUT_H
#define PLATTER_READOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dev.h"

/* The longest piece; a hole may be longer. */
#define READOUT_PIECE ((size_t)1 << 20)

/* A part of the device to be read. */
struct readout_range {
	uint64_t start, end;
};

struct readout_piece {
	uint64_t off, len;
	const void *data; /* NULL: zeros that are stored nowhere */
	int error;        /* -errno: it cannot be read, and there is no data */
};

struct readout;

/* dev and the ranges, which rise and do not touch, are borrowed until readout_close. */
int readout_open(struct dev *dev, const struct readout_range *ranges, size_t count,
                 struct readout **out);

/* The next piece, valid until the next call; false at the end. */
bool readout_next(struct readout *ro, struct readout_piece *piece);

/* NULL is fine. */
void readout_close(struct readout *ro);

#endif
