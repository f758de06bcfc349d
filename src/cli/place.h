/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a mount goes: checking the directory that was named, or making one. */
#ifndef PLATTER_CLI_PLACE_H
#define PLATTER_CLI_PLACE_H

#include <stdbool.h>

struct place {
	char *dir; /* absolute */
	bool made; /* by us: to be removed when the mount is gone */
	int fd;    /* of the directory, until place_settle: to be mounted on */
	int lock;  /* keeps others from taking it before it is mounted on */
};

/*
 * wanted: the directory, or NULL for one named after image below the user's runtime directory.
 * A dead platter mount that is there is cleaned away. 0, or an exit status after the message.
 */
int place_prepare(const char *wanted, const char *image, struct place *place);

/* It is mounted on: let go of the descriptors. */
void place_settle(struct place *place);

/* Remove the directory if it was made, and free. */
void place_undo(struct place *place);

#endif
