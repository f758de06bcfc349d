/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What export, convert and create share: the form of the new file, and writing it. */
#ifndef PLATTER_CLI_WRITEOUT_H
#define PLATTER_CLI_WRITEOUT_H

#include "cli.h"

/*
 * Fill in how from the options, and from the extension of dst where they do not name the format. 0,
 * or an exit status after the message.
 */
int writeout_choose(struct cli *cli, const char *dst, struct platter_export *how);

/* Write what p shows to dst, with a bar on a terminal, until a signal ends it. Exit status. */
int writeout_copy(struct cli *cli, struct platter *p, const char *dst, struct platter_export *how);

/* Notes of the library go to stderr, unless the user wants quiet. */
void writeout_note(void *arg, const char *line);

#endif
