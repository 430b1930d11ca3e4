/* SPDX-License-Identifier: MIT */
/*
 * atomicio bench: the cost of untorn durable pages on this disk, for each way, and a
 * recommendation.
 *
 * Flow: parse, find the directory, look for space, measure each mode (bench_files.c,
 * ways.c, bench_measure.c), print (bench_report.c, bench_advice.c).  The rules are in
 * bench.h.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "bench.h"
#include "target.h"
#include "tool.h"

#define SECONDS_DEFAULT 20
#define SECONDS_MAX 600
#define SIZE_DEFAULT 16384

/* The directory that `path` is, or is in.  Returns TOOL_YES or what tool_error() does. */
static int find_directory(struct bench *bench, const char *path)
{
	char resolved[PATH_MAX];
	struct stat status;

	text_path(path, bench->safe, sizeof(bench->safe));
	if (stat(path, &status))
		return tool_error("%s: %s: name a directory of the disk to measure", bench->safe,
				  strerror(errno));
	if (S_ISBLK(status.st_mode))
		return tool_error(
			"%s: is a block device, and bench writes only to files of its own: type "
			"atomicio bench DIRECTORY, with a directory on this device",
			bench->safe);
	if (!S_ISDIR(status.st_mode) && !S_ISREG(status.st_mode))
		return tool_error("%s: is neither a directory nor a regular file: type atomicio "
				  "bench DIRECTORY",
				  bench->safe);
	if (!realpath(path, resolved))
		return tool_error("%s: %s: name a directory of the disk to measure", bench->safe,
				  strerror(errno));
	snprintf(bench->directory, sizeof(bench->directory), "%s",
		 S_ISDIR(status.st_mode) ? resolved : dirname(resolved));
	text_path(bench->directory, bench->safe, sizeof(bench->safe));
	return TOOL_YES;
}

/* One sentence for an error of the run. */
static int explain(const struct bench *bench, int error)
{
	switch (error) {
	case -ENOSPC:
	case -EDQUOT:
		return tool_error("%s: the space ran out during the run: free some space, or name "
				  "another directory",
				  bench->safe);
	case -EFBIG:
		return tool_error("%s: files may not grow to %u MiB here: type ulimit -f unlimited "
				  "first",
				  bench->safe, BENCH_FILE_MAX >> 20);
	case -EACCES:
	case -EPERM:
		return tool_error("%s: no file can be made in this directory: %s: name a directory "
				  "that you can write to, or use sudo",
				  bench->safe, strerror(-error));
	case -EROFS:
		return tool_error("%s: no file can be made in this directory: %s: name another "
				  "directory, or remount with mount -o remount,rw",
				  bench->safe, strerror(-error));
	default:
		return tool_error(
			"%s: could not be measured: %s: type atomicio doctor %s to see why",
			bench->safe, strerror(-error), bench->safe);
	}
}

/* Find the possible modes, with a file like the files to be written. */
static int look(struct bench *bench)
{
	struct rlimit limit;
	int flags, error, fd;

	/* A write beyond the limit would end the program without a word. */
	if (!getrlimit(RLIMIT_FSIZE, &limit) && limit.rlim_cur < BENCH_FILE_MAX)
		return -EFBIG;
	fd = target_temporary(bench->directory, &flags);
	if (fd < 0)
		return fd;
	error = atomicio_probe(fd, &bench->caps, sizeof(bench->caps));
	close(fd);
	if (flags & O_DIRECT)
		bench->modes[bench->mode_count++].direct = true;
	if (bench->buffered || !bench->mode_count)
		bench->modes[bench->mode_count++].direct = false;
	return error;
}

/* Wait for space that an ended run has not yet given back (XFS frees in the background). */
static int check_space(const struct bench *bench)
{
	const uint64_t need = bench_space(bench);
	uint64_t free_space = 0;

	for (uint32_t i = 0; i < 20; i++) {
		struct statvfs status;

		if (statvfs(bench->directory, &status))
			return explain(bench, -errno);
		free_space = (uint64_t)status.f_bavail * status.f_frsize;
		/* A filesystem without blocks (ramfs) does not say. */
		if (free_space >= need || status.f_blocks == 0)
			return TOOL_YES;
		usleep(50000);
	}
	return tool_error("%s: bench needs %" PRIu64 " MiB of free space, and there are %" PRIu64
			  ": free some, or name another directory",
			  bench->safe, (need >> 20) + 1, free_space >> 20);
}

static int measure(struct bench *bench)
{
	int error = 0;

	for (uint32_t i = 0; i < bench->mode_count && !error; i++) {
		struct bench_files *files = malloc(sizeof(*files));

		if (!files)
			return -ENOMEM;
		error = bench_files_make(bench, &bench->modes[i], files);
		if (!error)
			error = bench_measure(bench, &bench->modes[i], files);
		bench_files_drop(files);
		free(files);
	}
	return error;
}

/* Fill *bench.  Returns -1 to go on, or an exit status. */
static int parse(const struct tool_command *command, int argc, char **argv, struct bench *bench)
{
	static const struct option options[] = {
		{"size", required_argument, NULL, 's'}, {"seconds", required_argument, NULL, 't'},
		{"buffered", no_argument, NULL, 'b'},	{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},	{NULL, 0, NULL, 0}};
	uint64_t size = SIZE_DEFAULT, seconds = SECONDS_DEFAULT;
	struct tool_arguments arguments = {.argc = argc, .argv = argv};
	char word[128];
	int option, status;

	while ((option = tool_option(&arguments, options)) >= 0) {
		if (option == 'h')
			return tool_help(command);
		if (option == 'b') {
			bench->buffered = true;
		} else if (option == 'j') {
			bench->json = true;
		} else if (option == 's') {
			if (text_parse_size(optarg, &size) || size < BENCH_SIZE_MIN ||
			    size > BENCH_SIZE_MAX || (size & (size - 1)))
				return tool_error(
					"bench: --size '%s' is no page size: type 4k, 8k, "
					"16k, 32k or 64k",
					text_word(optarg, word, sizeof(word)));
		} else if (option == 't') {
			if (text_parse_size(optarg, &seconds) || !seconds || seconds > SECONDS_MAX)
				return tool_error("bench: --seconds '%s' is no duration: type a "
						  "number of seconds from 1 to %d",
						  text_word(optarg, word, sizeof(word)),
						  SECONDS_MAX);
		} else {
			return tool_bad_option(command, option, argv);
		}
	}
	if (arguments.count != 1)
		return tool_error(
			"bench: exactly one path is needed: type atomicio bench DIRECTORY");
	bench->size = (uint32_t)size;
	bench->seconds = (uint32_t)seconds;
	status = find_directory(bench, arguments.words[0]);
	return status ? status : -1;
}

static int run(const struct tool_command *command, int argc, char **argv)
{
	static struct bench bench;
	int status, error;

	status = parse(command, argc, argv, &bench);
	if (status >= 0)
		return status;
	error = look(&bench);
	if (error)
		return explain(&bench, error);
	status = check_space(&bench);
	if (status)
		return status;
	error = measure(&bench);
	if (error)
		return explain(&bench, error);
	if (bench.json)
		bench_put_json(&bench);
	else
		bench_put_text(&bench);
	return TOOL_YES;
}

const struct tool_command tool_bench = {
	.name = "bench",
	.usage = "PATH [--size N] [--seconds N] [--buffered] [--json]",
	.summary = "Measure the cost of untorn pages here, each way, and recommend a way",
	.details =
		"PATH is a directory, or a file in it.  Your files stay untouched: bench writes\n"
		"to unnamed files of its own, which are gone at the end, also after a kill, and\n"
		"need about 230 MiB of free space.\n\n"
		"  --size N     length of a page: 4k, 8k, 16k (the default), 32k or 64k\n"
		"  --seconds N  length of the whole measurement, default 20\n"
		"  --buffered   also through the page cache\n"
		"  --json       print one object\n\n"
		"Exit status: 0 measured, 2 an error.\n",
	.run = run,
};
