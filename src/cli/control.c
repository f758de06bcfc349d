/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "control.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "newfile.h"

/* How long keep may take to name the file, with writes on hold. */
#define PLACE_SECONDS 60

enum verb { VERB_ANSWER, VERB_KEEP, VERB_PLACED, VERB_PAUSE, VERB_SWITCH, VERB_RESUME };

struct message {
	uint8_t verb;
	char text[4096]; /* terminated */
};

struct control {
	char name[16];
	int listener;
	int daemon;     /* the supervisor's end to it */
	int supervisor; /* and the daemon's */
	struct platter *p;
	void (*done)(void *arg);
	void *arg;
	pthread_t attendant;
};

/* ---- messages ---- */

static int put(int sock, enum verb verb, const char *text, int fd)
{
	struct message m = {.verb = (uint8_t)verb};
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof fd)];
	} control = {0};
	struct iovec iov = {.iov_base = &m};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	snprintf(m.text, sizeof m.text, "%s", text);
	iov.iov_len = offsetof(struct message, text) + strlen(m.text) + 1;
	if (fd >= 0) {
		struct cmsghdr *c = &control.align;

		msg.msg_control = control.room;
		msg.msg_controllen = sizeof control.room;
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(c), &fd, sizeof fd);
	}
	while (sendmsg(sock, &msg, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* *fd: a descriptor that came along, or -1. -EPIPE: the other end is gone. */
static int get(int sock, struct message *m, int *fd)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof *fd)];
	} control;
	struct iovec iov = {.iov_base = m, .iov_len = sizeof *m};
	struct msghdr msg = {.msg_iov = &iov,
	                     .msg_iovlen = 1,
	                     .msg_control = control.room,
	                     .msg_controllen = sizeof control.room};
	struct cmsghdr *c;
	ssize_t n;

	*fd = -1;
	memset(m, 0, sizeof *m);
	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : -EPIPE;
	m->text[sizeof m->text - 1] = '\0';
	c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof *fd))
		memcpy(fd, CMSG_DATA(c), sizeof *fd);
	return 0;
}

/* Say something and wait for the answer; its text is left in m. */
static int ask(int sock, enum verb verb, const char *text, int fd, struct message *m)
{
	int r, unwanted;

	/* Who refuses answers without listening: what there is to be read counts. */
	(void)put(sock, verb, text, fd);
	r = get(sock, m, &unwanted);
	if (unwanted >= 0)
		close(unwanted);
	if (r)
		snprintf(m->text, sizeof m->text, "%s", strerror(-r));
	return m->text[0] ? -EIO : 0;
}

/* Whether the other end is this user's. */
static bool is_ours(int sock)
{
	struct ucred peer;
	socklen_t len = sizeof peer;

	return getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.uid == getuid();
}

/* ---- both ---- */

static int listen_somewhere(struct control *c)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	socklen_t len = sizeof addr.sun_family;

	c->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	/* With the family alone as address the kernel chooses a free one (unix(7), autobind). */
	if (c->listener < 0 || bind(c->listener, (struct sockaddr *)&addr, len) < 0 ||
	    listen(c->listener, 16) < 0)
		return -errno;
	len = sizeof addr;
	if (getsockname(c->listener, (struct sockaddr *)&addr, &len) < 0)
		return -errno;
	len -= (socklen_t)offsetof(struct sockaddr_un, sun_path) + 1;
	snprintf(c->name, sizeof c->name, "%.*s", (int)len, addr.sun_path + 1);
	return 0;
}

struct control *control_new(void)
{
	struct control *c = calloc(1, sizeof *c);
	int pair[2];

	if (!c)
		return NULL;
	c->listener = c->daemon = c->supervisor = -1;
	if (listen_somewhere(c) != 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		control_free(c);
		return NULL;
	}
	c->daemon = pair[0];
	c->supervisor = pair[1];
	return c;
}

static void shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void control_free(struct control *c)
{
	if (!c)
		return;
	shut(&c->listener);
	shut(&c->daemon);
	shut(&c->supervisor);
	free(c);
}

const char *control_name(const struct control *c)
{
	return c->name;
}

/* ---- the supervisor ---- */

/* The daemon is paused: fill the file and have the client name it, then go over to it. */
static void keep_paused(struct control *c, int client, int fd, const char *path, char *text,
                        size_t size)
{
	struct platter_error err = {0};
	struct message m;

	if (platter_keep_write(c->p, fd, &err) != 0)
		snprintf(text, size, "%s", err.text);
	/* An answer that is none, or none in time: it stays in memory. */
	else if (ask(client, VERB_ANSWER, "", -1, &m) != 0 || m.verb != VERB_PLACED)
		snprintf(text, size, "the file was not named in %d s", PLACE_SECONDS);
	else if (platter_keep_switch(c->p, fd, path, &err) != 0)
		snprintf(text, size, "%s", err.text);
	else if (ask(c->daemon, VERB_SWITCH, path, fd, &m) != 0)
		snprintf(text, size, "the daemon: %.900s", m.text);
}

static void keep(struct control *c, int client, int fd, const char *path)
{
	char text[1024] = "";
	struct message m;

	if (ask(c->daemon, VERB_PAUSE, "", -1, &m) != 0) {
		put(client, VERB_ANSWER, m.text, -1);
		return;
	}
	keep_paused(c, client, fd, path, text, sizeof text);
	ask(c->daemon, VERB_RESUME, "", -1, &m);
	put(client, VERB_ANSWER, text, -1);
}

/* What was not read when a socket closes would take back what was answered. */
static void close_client(int sock)
{
	char rest;

	shutdown(sock, SHUT_RD);
	while (recv(sock, &rest, sizeof rest, MSG_DONTWAIT) > 0)
		;
	close(sock);
}

static void serve_client(struct control *c, int client)
{
	struct timeval limit = {.tv_sec = PLACE_SECONDS};
	struct message m;
	int fd = -1;

	setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	if (!is_ours(client))
		put(client, VERB_ANSWER, "only the owner of the mount may ask", -1);
	else if (get(client, &m, &fd) == 0 && m.verb == VERB_KEEP && fd >= 0)
		keep(c, client, fd, m.text);
	shut(&fd);
	close_client(client);
}

void control_supervise(struct control *c, struct platter *p)
{
	struct pollfd ready[] = {{.fd = c->daemon, .events = POLLIN},
	                         {.fd = c->listener, .events = POLLIN}};

	c->p = p;
	shut(&c->supervisor);
	/* The daemon never says anything by itself: what comes from it is its end. */
	while (!(ready[0].revents & (POLLIN | POLLHUP | POLLERR))) {
		int client;

		if (poll(ready, 2, -1) < 0) {
			if (errno != EINTR)
				return;
			ready[0].revents = ready[1].revents = 0;
		}
		if (!(ready[1].revents & POLLIN))
			continue;
		client = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC);
		if (client >= 0)
			serve_client(c, client);
	}
}

/* ---- the daemon ---- */

static void *attend(void *arg)
{
	struct control *c = arg;
	struct message m;
	bool paused = false;
	int fd;

	while (get(c->supervisor, &m, &fd) == 0) {
		struct platter_error err = {.text = ""};

		if (m.verb == VERB_PAUSE && !paused)
			paused = platter_keep_pause(c->p, &err) == 0;
		else if (m.verb == VERB_SWITCH && paused && fd >= 0 &&
		         platter_keep_switch(c->p, fd, m.text, &err) == 0 &&
		         platter_begin(c->p) != 0)
			snprintf(err.text, sizeof err.text, "cannot be marked as open");
		else if (m.verb == VERB_RESUME && paused) {
			platter_keep_resume(c->p);
			paused = false;
		}
		if (m.verb == VERB_SWITCH)
			c->done(c->arg);
		shut(&fd);
		put(c->supervisor, VERB_ANSWER, err.text, -1);
	}
	if (paused)
		platter_keep_resume(c->p);
	return NULL;
}

int control_attend(struct control *c, struct platter *p, void (*done)(void *arg), void *arg)
{
	shut(&c->listener);
	shut(&c->daemon);
	c->p = p;
	c->done = done;
	c->arg = arg;
	return -pthread_create(&c->attendant, NULL, attend, c);
}

void control_leave(struct control *c)
{
	shutdown(c->supervisor, SHUT_RDWR);
	pthread_join(c->attendant, NULL);
	control_free(c);
}

/* ---- from outside ---- */

static int connect_to(const char *name)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	size_t len = strlen(name);

	if (sock < 0 || len >= sizeof addr.sun_path - 1)
		return sock;
	memcpy(addr.sun_path + 1, name, len);
	if (connect(sock, (struct sockaddr *)&addr,
	            (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len)) == 0) {
		if (is_ours(sock))
			return sock;
		errno = EPERM;
	}
	close(sock);
	return -1;
}

static int keep_in(const char *what, int sock, struct newfile *n)
{
	struct platter_error err;
	struct message m;

	if (ask(sock, VERB_KEEP, n->path, n->fd, &m) != 0) {
		complain("%s: %s", what, m.text);
		return EXIT_SYSTEM;
	}
	if (newfile_place(n, false, &err) != 0) {
		complain("%s", err.text);
		return EXIT_SYSTEM;
	}
	if (ask(sock, VERB_PLACED, "", -1, &m) != 0) {
		unlink(n->path);
		complain("%s: %s", what, m.text);
		return EXIT_SYSTEM;
	}
	return EXIT_OK;
}

int control_keep(const char *what, const char *name, const char *path)
{
	struct platter_error err;
	struct newfile n;
	int sock = connect_to(name), status;

	if (sock < 0) {
		complain("%s: its supervisor cannot be reached: %s", what, strerror(errno));
		return EXIT_SYSTEM;
	}
	if (newfile_open(path, 0600, &n, &err) != 0) {
		close(sock);
		complain("%s", err.text);
		return EXIT_SYSTEM;
	}
	status = keep_in(what, sock, &n);
	newfile_drop(&n);
	close(sock);
	return status;
}
