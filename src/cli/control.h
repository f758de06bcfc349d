/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control channel of a mount whose overlay is in memory: what `platter keep` talks to. The
 * supervisor listens on a socket without a name in any folder (the mount says its number when it is
 * asked) and takes requests of its own user only. The file comes as a descriptor: neither the
 * supervisor nor the daemon ever opens a path for it.
 *
 *   keep        -> supervisor   KEEP, the file's descriptor, the path that it will have
 *   supervisor  -> daemon       PAUSE: no more writes
 *   supervisor                  writes the overlay into the file
 *   supervisor  -> keep         an answer; keep gives the file its name
 *   keep        -> supervisor   PLACED
 *   supervisor  -> daemon       SWITCH, the descriptor, the path; and the same itself
 *   supervisor  -> keep         an answer
 *
 * Whatever goes wrong before the switch leaves the overlay in memory. An answer is a line that
 * says what is wrong, or empty.
 */
#ifndef PLATTER_CLI_CONTROL_H
#define PLATTER_CLI_CONTROL_H

#include "cli.h"

struct control;

/* Before the daemon is forked. NULL: errno. */
struct control *control_new(void);
void control_free(struct control *c);

/* What finds the socket: hexadecimal digits. */
const char *control_name(const struct control *c);

/* In the supervisor: serve requests until the daemon ends. */
void control_supervise(struct control *c, struct platter *p);

/* In the daemon: do what the supervisor says, in a thread of its own; done is called after each
 * switch. 0 or -errno. */
int control_attend(struct control *c, struct platter *p, void (*done)(void *arg), void *arg);

/* Before what is served is closed; frees c. */
void control_leave(struct control *c);

/* From outside: have the overlay of the mount with that control written to path. 0, or an exit
 * status after the message, which begins with what. */
int control_keep(const char *what, const char *name, const char *path);

#endif
