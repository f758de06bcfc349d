/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mount and attach. Everything that can fail with a message happens before the terminal is let
 * go of. Then there are three processes:
 *
 *   the parent      waits until the mount answers, and exits
 *   the supervisor  parses nothing; when the daemon ends, however it ends, it detaches the mount,
 *                   flushes the overlay if the daemon could not, and removes what was made
 *   the daemon      serves
 *
 * With -f the parent is the supervisor.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "cli.h"
#include "control.h"
#include "fuse.h"
#include "mounts.h"
#include "place.h"

struct session {
	struct cli *cli;
	const char *verb;
	struct place place;
	struct platter *p;
	struct platter_tree *tree;
	struct front *front;
	struct control *control; /* NULL: none is needed */
};

static void log_line(void *arg, const char *line)
{
	const struct cli *cli = arg;

	if (cli->foreground)
		complain("%s", line);
	else
		syslog(LOG_WARNING, "%s", line);
}

static void let_go_of_terminal(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; null >= 0 && fd < 3; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
	if (chdir("/") != 0)
		return; /* it only keeps a directory busy */
}

/* ---- the daemon ---- */

static char *describe(const struct session *s)
{
	const char *overlay = platter_overlay_path(s->p);
	bool memory = overlay && strcmp(overlay, "ram") == 0;
	char *text;

	/* The path comes last: it may hold anything. */
	if (asprintf(&text, "verb=%s\ndaemon=%d\nsupervisor=%d\nwritable=%d\n%s%s%soverlay=%s",
	             s->verb, (int)getpid(), (int)getppid(), platter_tree_writable(s->tree),
	             memory && s->control ? "control=" : "",
	             memory && s->control ? control_name(s->control) : "",
	             memory && s->control ? "\n" : "", overlay ? overlay : "") < 0)
		return NULL;
	return text;
}

/* The overlay went from memory to a file. */
static void describe_anew(void *arg)
{
	struct session *s = arg;
	char *description = describe(s);

	if (description)
		front_describe(s->front, description);
}

/* EXIT_OK: the mount is gone; EXIT_USER: a signal; else it failed. The flush speaks for itself, in
 * what it leaves for the supervisor to do. */
static int serve(struct session *s)
{
	char *description = describe(s);
	int r = description ? platter_begin(s->p) : -ENOMEM;

	if (!r && s->control)
		r = control_attend(s->control, s->p, describe_anew, s);
	if (r) {
		free(description);
		log_line(s->cli, "the overlay cannot be marked as open");
		return EXIT_SYSTEM;
	}
	front_describe(s->front, description);
	r = front_serve(s->front);
	if (s->control)
		control_leave(s->control);
	platter_tree_close(s->tree);
	platter_close(s->p);
	/* Last: closing /dev/fuse is what ends the mount, and by then all is durable. */
	front_free(s->front);
	return r < 0 ? EXIT_SYSTEM : r > 0 ? EXIT_USER : EXIT_OK;
}

/* ---- the supervisor ---- */

static volatile sig_atomic_t daemon_pid;

static void pass_on(int sig)
{
	(void)sig;
	if (daemon_pid > 0)
		kill((pid_t)daemon_pid, SIGTERM);
}

static const int ending_signals[] = {SIGTERM, SIGINT, SIGHUP};

static void pass_on_signals(void)
{
	struct sigaction act = {.sa_handler = pass_on};

	for (size_t i = 0; i < sizeof ending_signals / sizeof *ending_signals; i++)
		sigaction(ending_signals[i], &act, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/*
 * After the daemon's end. The mount goes first: its clients wait, the overlay's lock can. There is
 * none any more when it was its end that ended the daemon, and something else may stand there.
 */
static int clean_up(struct session *s, unsigned id, bool unmounted)
{
	int r = 0;

	if (!unmounted && id && mounts_id(s->place.dir) == id)
		r = mounts_detach(s->place.dir, true);
	if (r)
		log_line(s->cli, "the mount cannot be detached");
	/* Does nothing when the daemon did it; when it was killed, nothing acknowledged is lost. */
	platter_tree_close(s->tree);
	r = platter_close(s->p);
	if (r)
		log_line(s->cli, "the overlay could not be flushed");
	place_undo(&s->place);
	return r ? EXIT_SYSTEM : EXIT_OK;
}

static int supervise(struct session *s, unsigned id)
{
	const char *overlay = platter_overlay_path(s->p);
	sigset_t signals, before;
	int status = 0, cleaned;
	pid_t pid;

	if (overlay && strcmp(overlay, "ram") == 0)
		s->control = control_new();

	/* A signal that comes before the daemon's number is known must not get lost. */
	sigemptyset(&signals);
	for (size_t i = 0; i < sizeof ending_signals / sizeof *ending_signals; i++)
		sigaddset(&signals, ending_signals[i]);
	sigprocmask(SIG_BLOCK, &signals, &before);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		exit(serve(s));
	}
	daemon_pid = pid;
	pass_on_signals();
	sigprocmask(SIG_SETMASK, &before, NULL);
	front_free(s->front);
	if (pid > 0 && s->control)
		control_supervise(s->control, s->p);
	control_free(s->control);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	cleaned = clean_up(s, id, pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_OK);
	if (pid < 0 || !WIFEXITED(status))
		return EXIT_SYSTEM;
	/* That a signal ended it is no failure. */
	return WEXITSTATUS(status) && WEXITSTATUS(status) != EXIT_USER ? WEXITSTATUS(status)
	                                                               : cleaned;
}

/* ---- the parent ---- */

static int wait_until_it_answers(struct session *s, unsigned id)
{
	struct stat st;

	/* Blocks until the daemon serves; fails when it does not come to that, unless the mount is
	 * gone by then and what is below it answers. */
	if (stat(s->place.dir, &st) == 0 && mounts_id(s->place.dir) == id)
		return EXIT_OK;
	complain("%s: the daemon ended before it served", s->place.dir);
	return EXIT_SYSTEM;
}

static void say_what_is_there(const struct session *s)
{
	struct platter_info info;
	const char *overlay = platter_overlay_path(s->p);

	platter_get_info(s->p, &info);
	fprintf(stderr,
	        "platter: %s on %s: %s, %" PRIu64 " bytes, table %s, %zu partitions, %s%s\n",
	        platter_path(s->p), s->place.dir, info.format, info.virtual_size, info.scheme,
	        info.nparts, overlay ? "overlay " : "read-only", overlay ? overlay : "");
}

static int start(struct session *s, bool print)
{
	unsigned id = mounts_id(s->place.dir);
	pid_t pid;
	int status;

	if (print && !s->cli->quiet) {
		puts(s->place.dir);
		fflush(stdout);
	}
	openlog("platter", LOG_PID, LOG_DAEMON);
	if (s->cli->foreground)
		return supervise(s, id);
	pid = fork();
	if (pid == 0) {
		setsid();
		let_go_of_terminal();
		exit(supervise(s, id));
	}
	front_free(s->front);
	if (pid < 0) {
		complain("fork: %s", strerror(errno));
		clean_up(s, id, false);
		return EXIT_SYSTEM;
	}
	status = wait_until_it_answers(s, id);
	if (!status && s->cli->verbose)
		say_what_is_there(s);
	platter_tree_close(s->tree);
	platter_abandon(s->p);
	free(s->place.dir);
	return status;
}

/* Mount on the directory that place_prepare checked, by standing in it. */
static struct front *mount_there(struct session *s)
{
	int before = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct front *front = NULL;

	if (fchdir(s->place.fd) < 0)
		complain("%s: %s", s->place.dir, strerror(errno));
	else
		front = front_mount(s->cli, s->p, s->tree, s->place.dir);
	if (before < 0 || fchdir(before) < 0)
		(void)!chdir("/");
	if (before >= 0)
		close(before);
	place_settle(&s->place);
	return front;
}

static int open_and_serve(struct cli *cli, const char *verb,
                          int (*build)(struct platter *, int, const struct platter_view *,
                                       struct platter_tree **, struct platter_error *))
{
	struct session s = {.cli = cli, .verb = verb};
	const char *image = cli->args[0], *dir = cli->nargs > 1 ? cli->args[1] : NULL;
	struct platter_error err;
	int status;

	cli->open.log = log_line;
	cli->open.log_arg = cli;
	/* First: an overlay is not made for a mount that has no place. */
	status = place_prepare(dir, image, &s.place);
	if (status)
		return status;
	s.p = cli_open(cli, image);
	status = s.p ? EXIT_IMAGE : cli->open_status;
	if (s.p && build(s.p, cli->part, &cli->view, &s.tree, &err) != 0)
		status = complain_error(&err);
	else if (s.p)
		s.front = mount_there(&s);
	if (s.front)
		return start(&s, !dir);
	platter_tree_close(s.tree);
	platter_close(s.p);
	place_undo(&s.place);
	return status;
}

int cmd_mount(struct cli *cli)
{
	return open_and_serve(cli, "mount", platter_mount);
}

int cmd_attach(struct cli *cli)
{
	return open_and_serve(cli, "attach", platter_attach);
}
