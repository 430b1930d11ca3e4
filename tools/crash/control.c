/* SPDX-License-Identifier: MIT */
/*
 * The commands of a server, one a line, each with an answer of one line.
 *
 *	fault ...	add a fault (faults.h): "fault N"
 *	fired		how often each fired: "fired N..."
 *	clear		forget the faults: "ok"
 *	release		let all that hangs or is slow go on: "ok"
 *	end		unmount: "ok"
 *
 * and the commands of the server itself (image.c).  A command that is none is answered with "error
 * ...".
 *
 * Flow: server.c calls control_take() when something has come.
 */
#include "server.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void fired(void)
{
	char line[400] = "fired";
	size_t length = strlen(line);

	for (uint32_t i = 0; i < server.faults.count && length < sizeof(line) - 24; i++)
		length += (size_t)snprintf(line + length, sizeof(line) - length, " %llu",
					   (unsigned long long)server.faults.list[i].fired);
	server_answer("%s", line);
}

static void release(void)
{
	for (struct waiting *waiting = server.waiting; waiting; waiting = waiting->next)
		waiting->due = 0;
	server_answer("ok");
}

static void obey(char *words)
{
	const char *wrong;

	if (!strncmp(words, "fault ", 6)) {
		wrong = fault_add(&server.faults, words + 6);
		if (wrong)
			server_answer("error %s", wrong);
		else
			server_answer("fault %u", server.faults.count);
	} else if (!strcmp(words, "fired")) {
		fired();
	} else if (!strcmp(words, "clear")) {
		server.faults.count = 0;
		server_answer("ok");
	} else if (!strcmp(words, "release")) {
		release();
	} else if (!strcmp(words, "end")) {
		server.ended = true;
		server_answer("ok");
	} else if (!server.command || !server.command(words)) {
		server_answer("error there is no command '%.60s'", words);
	}
}

bool control_take(void)
{
	static char line[1024];
	static size_t length;
	const ssize_t got = read(server.in, line + length, sizeof(line) - 1 - length);
	char *end;

	if (got <= 0)
		return got < 0 && (errno == EINTR || errno == EAGAIN);
	length += (size_t)got;
	line[length] = '\0';
	while ((end = strchr(line, '\n'))) {
		*end = '\0';
		obey(line);
		length -= (size_t)(end + 1 - line);
		memmove(line, end + 1, length + 1);
	}
	if (length == sizeof(line) - 1)
		length = 0; /* no command is longer */
	return true;
}
