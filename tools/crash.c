/* SPDX-License-Identifier: MIT */
/*
 * atomicio crash: start atomicio-crash, the program that cuts the power of a simulated disk.
 *
 * Flow: a row of main.c's table.  A separate program (tools/crash) does the work, and the command
 * needs no libfuse3.  The program lies in libexec, or beside the command before an installation.
 */
#define _GNU_SOURCE
#include "tool.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#define PROGRAM "atomicio-crash"

/* Start the program relative to this command's directory; returns if the program does not exist. */
static void start_beside(const char *where, char **argv)
{
	char own[PATH_MAX], path[PATH_MAX];
	const ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);
	char *slash;

	if (length <= 0)
		return;
	own[length] = '\0';
	slash = strrchr(own, '/');
	if (!slash)
		return;
	*slash = '\0';
	if ((size_t)snprintf(path, sizeof(path), "%s/%s/" PROGRAM, own, where) < sizeof(path))
		execv(path, argv);
}

static int run_crash(const struct tool_command *command, int argc, char **argv)
{
	(void)command;
	(void)argc;
	start_beside("../libexec/libatomicio", argv);
	execv(ATOMICIO_LIBEXEC "/" PROGRAM, argv);
	start_beside("crash", argv);
	if (access("/proc/self/exe", F_OK) < 0)
		return tool_error("crash: the path of this program is unknown: /proc/self/exe: %s: "
				  "type mount -t proc proc /proc",
				  strerror(errno));
	if (errno != ENOENT && errno != ENOTDIR)
		return tool_error("crash: " PROGRAM " cannot be started: %s", strerror(errno));
	return tool_error("crash: the program " PROGRAM " is not installed: install the package "
			  "atomicio-crash, or build with libfuse3 (Debian: libfuse3-dev)");
}

const struct tool_command tool_crash = {
	.name = "crash",
	.usage = "run|serve ARGUMENT...",
	.summary = "Cut the power of a simulated disk under a program, and check the files",
	.details = "",
	.run = run_crash,
};
