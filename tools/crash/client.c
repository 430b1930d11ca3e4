/* SPDX-License-Identifier: MIT */
/*
 * The run's side of the server's commands (control.c, image.c).
 *
 * Flow: run.c starts the server here, asks for cuts, and takes them.
 */
#define _GNU_SOURCE
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image.h"
#include "process.h"
#include "server.h"
#include "words.h"

static void serve(struct run *run, int in, int out, int terminal)
{
	close(run->to_server);
	close(run->from_server);
	close(run->terminal);
	setsid();
	server.in = in;
	server.out = out;
	server.lines = terminal;
	server.oracle = oracle_create();
	_exit(server.oracle ? image_serve(run->served, run->options->size, run->options->sector)
			    : 2);
}

/* The next line from the server; empty if no line comes within `limit` milliseconds. */
static int read_line(struct run *run, char line[512], int limit)
{
	struct pollfd polls[2] = {{.fd = run->from_server, .events = POLLIN},
				  {.fd = process_signal_fd(), .events = POLLIN}};
	size_t length = 0;
	char byte;

	line[0] = '\0';
	if (limit >= 0 && poll(polls, 2, limit) <= 0)
		return 0;
	if (limit >= 0 && !(polls[0].revents & (POLLIN | POLLHUP)))
		return 0;
	while (length < 511 && read(run->from_server, &byte, 1) == 1) {
		if (byte == '\n') {
			line[length] = '\0';
			return 1;
		}
		line[length++] = byte;
	}
	return -EPIPE;
}

int client_start(struct run *run, int terminal_master)
{
	int to[2], from[2];
	char line[512];

	if (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0)
		return crash_error("no pipe to the server: %s", strerror(errno));
	run->to_server = to[1];
	run->from_server = from[0];
	undo_push(run->undo, UNDO_FUSE, 0, run->served); /* U1 */
	run->server = fork();
	if (run->server == 0)
		serve(run, to[0], from[1], terminal_master);
	close(to[0]);
	close(from[1]);
	if (run->server < 0)
		return crash_error("the server cannot be started: %s", strerror(errno));
	/* A run that has to end may learn of the mount before or after the mount: so once more. */
	undo_push(run->undo, UNDO_PROCESS, run->server, NULL);
	undo_push(run->undo, UNDO_FUSE, 0, run->served);
	if (read_line(run, line, 20000) != 1 || strcmp(line, "ready") != 0)
		return process_signal() ? RUN_ERROR : crash_error("the server did not start");
	return 0;
}

static bool read_cut(const char *line, struct run_cut *cut)
{
	uint64_t dropped, kept, torn;

	if (!words_take(&line, "cut ") || !words_number(&line, &cut->number) ||
	    !words_take(&line, " dropped ") || !words_number(&line, &dropped) ||
	    !words_take(&line, " kept ") || !words_number(&line, &kept) ||
	    !words_take(&line, " torn ") || !words_number(&line, &torn))
		return false;
	cut->dropped = (uint32_t)dropped;
	cut->kept = (uint32_t)kept;
	cut->torn = (uint32_t)torn;
	return true;
}

static bool take_cut(struct run *run, const char *line)
{
	struct run_cut cut;

	if (!read_cut(line, &cut))
		return false;
	if (run->waiting_count < sizeof(run->waiting) / sizeof(run->waiting[0]))
		run->waiting[run->waiting_count++] = cut;
	return true;
}

static int send_line(struct run *run, const char *line)
{
	const size_t length = strlen(line);

	if (write(run->to_server, line, length) == (ssize_t)length)
		return 0;
	return crash_error("the server is gone");
}

int client_ask(struct run *run, char answer[512], const char *format, ...)
{
	char line[512];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(line, sizeof(line) - 1, format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length >= sizeof(line) - 1)
		return crash_error("a command to the server is too long");
	line[length] = '\n';
	line[length + 1] = '\0';
	if (send_line(run, line))
		return RUN_ERROR;
	/* The cut of an earlier `arm` may come between. */
	do {
		if (read_line(run, answer, -1) != 1)
			return crash_error("the server is gone");
	} while (take_cut(run, answer));
	if (!strncmp(answer, "error ", 6))
		return crash_error("%s", answer + 6);
	return 0;
}

int client_arm(struct run *run)
{
	char line[64];
	uint64_t seed;

	do
		seed = cut_random(&run->random);
	while (seed < 2); /* 0 and 1 are the seeds of "all" and "nothing" */
	snprintf(line, sizeof(line), "arm %" PRIu64 "\n", seed);
	return send_line(run, line);
}

int client_cut(struct run *run, struct run_cut *cut)
{
	char line[512];
	int got;

	if (!run->waiting_count) {
		got = read_line(run, line, 0);
		if (got < 0)
			return crash_error("the server is gone");
		if (got == 0)
			return 0;
		if (!take_cut(run, line))
			return crash_error("%s", line[0] == 'e' ? line + 6 : line);
	}
	*cut = run->waiting[0];
	run->waiting_count--;
	memmove(run->waiting, run->waiting + 1, run->waiting_count * sizeof(*cut));
	return 1;
}
