/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Overlays as operands: by the path of their file, or by the directory where one is mounted. */
#ifndef PLATTER_CLI_OVERLAYS_H
#define PLATTER_CLI_OVERLAYS_H

#include "cli.h"

struct overlay_operand {
	char *overlay; /* its file */
	char *image;   /* what it is over; NULL: the overlay's header must tell */
	bool mounted;  /* a mount has it, and has been made to write down what it holds */
};

/*
 * What operand means: 0, or an exit status after the message, for a mount without an overlay or
 * with one in memory. overlay_operand_free in any case.
 */
int overlay_operand_find(struct cli *cli, const char *operand, struct overlay_operand *o);

/* The same for commands that read all of it, which takes too long to do under a mount. */
int overlay_operand_unmounted(struct cli *cli, const char *operand, struct overlay_operand *o);

/* The same for commands that work on an overlay that nobody has open. */
int overlay_operand_at_rest(struct cli *cli, const char *operand, struct overlay_operand *o);
void overlay_operand_free(struct overlay_operand *o);

/*
 * Open the image (--base, that of the mount, or the one beside the overlay that its header names)
 * and look at it through the overlay, also while a mount writes to it. *plain, unless plain is
 * NULL: the image without the overlay. 0, or an exit status after the message.
 */
int overlay_operand_open(struct cli *cli, const struct overlay_operand *o, struct platter **merged,
                         struct platter **plain);

/* Have the user agree, on the terminal or by --yes, to what command is about to do. EXIT_OK, or an
 * exit status after the message. */
int overlay_consent(struct cli *cli, const char *command, const char *what);

#endif
