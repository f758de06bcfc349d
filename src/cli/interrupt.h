/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Signals that end a program, noted while it does something that cleans up after itself. */
#ifndef PLATTER_CLI_INTERRUPT_H
#define PLATTER_CLI_INTERRUPT_H

/* Set by the first signal since interrupt_catch; the second ends the program at once. */
extern volatile int interrupted;

/* Note SIGINT, SIGTERM and SIGHUP from now on; what is ignored (nohup) stays so. */
void interrupt_catch(void);

/* As it was before. */
void interrupt_release(void);

#endif
