/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who keeps a mount busy. */
#ifndef PLATTER_CLI_HOLDERS_H
#define PLATTER_CLI_HOLDERS_H

#include <stdbool.h>

/* Say on stderr, a line each, which processes and loop devices use files below dir. Whether any
 * was found: other users' processes cannot be looked into. */
bool holders_print(const char *dir);

/* The same for the loop devices alone, also of a file. */
bool holders_print_loops(const char *path);

#endif
