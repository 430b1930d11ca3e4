/* SPDX-License-Identifier: MIT */
/*
 * The loop of both servers (server.h has the rules).
 *
 * Flow: image.c and directory.c mount and run it; control.c takes the commands.
 */
#define _GNU_SOURCE
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

struct server server = {.in = -1, .out = -1, .lines = -1};

int64_t server_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* CS3: all settings are best effort, and need root. */
static void keep_out_of_the_way(void)
{
	static const char *const roots[] = {"/sys/fs/cgroup/cgroup.procs",
					    "/sys/fs/cgroup/unified/cgroup.procs",
					    "/sys/fs/cgroup/memory/cgroup.procs"};

	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		const int fd = open(roots[i], O_WRONLY | O_CLOEXEC);

		if (fd < 0)
			continue;
		if (write(fd, "0", 1) < 0)
			errno = 0;
		close(fd);
	}
	(void)prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
	/* Memory that was had once stays: no write is to wait for the kernel to find some. */
#ifdef M_TRIM_THRESHOLD /* glibc's */
	(void)mallopt(M_TRIM_THRESHOLD, 1 << 30);
	(void)mallopt(M_MMAP_THRESHOLD, 1 << 30);
#endif
	(void)mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
}

int server_mount(const struct fuse_lowlevel_ops *operations, size_t size, const char *where)
{
	char name[] = "atomicio-crash", option[] = "-o",
	     options[] = "fsname=atomicio-crash,allow_other,default_permissions";
	char *argv[] = {name, option, options, NULL};
	struct fuse_args args = FUSE_ARGS_INIT(3, argv);

	server.session = fuse_session_new(&args, operations, size, NULL);
	if (!server.session)
		return crash_error("the FUSE session cannot be made");
	if (fuse_session_mount(server.session, where)) {
		fuse_session_destroy(server.session);
		return crash_error("%s: cannot mount FUSE there", where);
	}
	(void)fcntl(fuse_session_fd(server.session), F_SETFL, O_NONBLOCK);
	keep_out_of_the_way();
	return 0;
}

void server_wait(struct waiting what, const void *bytes, uint32_t delay)
{
	struct waiting *waiting = malloc(sizeof(*waiting)), **at = &server.waiting;

	what.due = delay == FAULT_HANG ? INT64_MAX : server_now() + delay;
	what.next = NULL;
	what.bytes = bytes ? malloc(what.length + 1) : NULL;
	if (!waiting || (bytes && !what.bytes)) {
		free(waiting);
		free(what.bytes);
		fuse_reply_err(what.request, ENOMEM);
		return;
	}
	if (bytes)
		memcpy(what.bytes, bytes, what.length);
	*waiting = what;
	while (*at && (*at)->due <= waiting->due)
		at = &(*at)->next;
	waiting->next = *at;
	*at = waiting;
}

/* Do the due requests.  Returns the time until the next, in milliseconds, -1: none. */
static int go_on(void)
{
	while (server.waiting && server.waiting->due <= server_now()) {
		struct waiting *waiting = server.waiting;

		server.waiting = waiting->next;
		waiting->go(waiting);
		free(waiting->bytes);
		free(waiting);
	}
	if (!server.waiting || server.waiting->due == INT64_MAX)
		return -1;
	return (int)(server.waiting->due - server_now()) + 1;
}

void server_drain(struct text *tries)
{
	char bytes[16384];
	ssize_t length;

	while (server.lines >= 0 && (length = read(server.lines, bytes, sizeof(bytes))) > 0)
		oracle_feed(server.oracle, bytes, (size_t)length, tries);
}

void server_answer(const char *format, ...)
{
	char line[512];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(line, sizeof(line) - 1, format, arguments);
	va_end(arguments);
	if (length < 0)
		return;
	if ((size_t)length > sizeof(line) - 2)
		length = (int)sizeof(line) - 2;
	line[length] = '\n';
	if (server.out < 0 || write(server.out, line, (size_t)length + 1) < 0)
		server.ended = server.ended || errno == EPIPE;
}

/* Take one request from the kernel; false: the filesystem is gone. */
static bool take_request(struct fuse_buf *buffer)
{
	const int length = fuse_session_receive_buf(server.session, buffer);

	if (length == -EINTR || length == -EAGAIN)
		return true;
	if (length <= 0)
		return false;
	fuse_session_process_buf(server.session, buffer);
	return true;
}

int server_say_what_never_fired(void)
{
	int status = 0;

	for (uint32_t i = 0; i < server.faults.count; i++)
		if (!server.faults.list[i].fired)
			status = crash_error("fault %u never fired: it met %llu requests", i + 1,
					     (unsigned long long)server.faults.list[i].seen);
	return status;
}

int server_run(void)
{
	struct fuse_buf buffer = {.mem = NULL};
	struct pollfd polls[3] = {{.fd = fuse_session_fd(server.session), .events = POLLIN},
				  {.fd = server.in, .events = POLLIN},
				  {.fd = server.lines, .events = POLLIN}};

	while (!server.ended && !fuse_session_exited(server.session)) {
		const int count = poll(polls, 3, go_on());

		if (count < 0 && errno != EINTR)
			break;
		if (count <= 0)
			continue;
		if (polls[0].revents && !take_request(&buffer))
			break;
		if (polls[1].revents && !control_take())
			server.ended = true;
		if (polls[2].revents & POLLIN)
			server_drain(NULL);
		else if (polls[2].revents)
			polls[2].fd = -1; /* nobody has the terminal open any more */
	}
	fuse_session_unmount(server.session);
	fuse_session_destroy(server.session);
	free(buffer.mem);
	return 0;
}
