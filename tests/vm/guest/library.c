/* SPDX-License-Identifier: MIT */
/*
 * The command line of library: what raw does, but through libatomicio.
 *
 * Flow: run by the guest's scripts; see library.h for the rest.
 *
 *	library probe PATH		library sizes PATH MIN MAX [lies]
 *	library dirty PATH SIZE COUNT mmap|write WAY LIST [RETRIES]
 *	library write PATH OFFSET LENGTH WAY [buffered] [append] [dsync] [nowait] [stubborn]
 *		[misalign=N] [mapped=N] [limit=N] [journal=PATH] [save=PATH] [before=COMMAND]
 *	library crowd PATH SIZE COUNT THREADS WAY [places=N] [readers=N] [flip]
 *	library orphan PATH SIZE COUNT PROCS MILLISECONDS [lock]
 *	library recover PATH JOURNAL
 * WAY is sync, ring, queue or, for the control, raw.  `stubborn`: the policy answers RETRY, always;
 * `save`: the page as it should be on the disk goes to a file; `before`: a command to run when the
 * handle is open.
 */
#define _GNU_SOURCE
#include "library.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void print_reasons(const char *key, uint64_t reasons)
{
	const char *comma = "";
	uint64_t reason;

	printf(" %s=", key);
	while ((reason = atomicio_reason_next(&reasons))) {
		printf("%s%s", comma, atomicio_reason_name(reason));
		comma = ",";
	}
	if (!*comma)
		printf("-");
}

/* The reasons for which the library knows nothing to type. */
static uint64_t without_fix(uint64_t reasons)
{
	uint64_t result = 0, reason;

	while ((reason = atomicio_reason_next(&reasons)))
		if (!atomicio_reason_fix(reason))
			result |= reason;
	return result;
}

static int probe_command(int argc, char **argv)
{
	struct atomicio_caps caps = {0};
	int fd, error;

	if (argc != 3)
		return 2;
	fd = open(argv[2], O_RDWR | O_DIRECT);
	if (fd < 0)
		fd = open(argv[2], O_RDWR);
	error = fd < 0 ? -errno : atomicio_probe(fd, &caps, sizeof(caps));
	if (error) {
		printf("error=%s\n", strerrorname_np(-error));
		return 1;
	}
	printf("mechanism=%s min=%u max=%u hw=%u segments=%u boundary=%u queue_min=%u queue_max=%u "
	       "confirm=%d disk=%s type=%s",
	       atomicio_mechanism_name(caps.direct.mechanism), caps.direct.unit_min,
	       caps.direct.unit_max, caps.direct.unit_max_hw, caps.direct.segments_max,
	       caps.queue_boundary, caps.queue_unit_min, caps.queue_unit_max, caps.confirm_result,
	       caps.disk_name, caps.filesystem_type);
	print_reasons("reasons", caps.reasons);
	print_reasons("unfixed", without_fix(caps.reasons));
	printf("\n");
	close(fd);
	return 0;
}

static int resolve(void *context, uint64_t file_id)
{
	const struct library *library = context;

	return file_id == 1 ? library->fd : -ENOENT;
}

static int open_journal(struct library *library, const char *path)
{
	const struct atomicio_journal_options layout = {.size = 4U << 20};
	int error;

	library->journal_fd = open(path, O_RDWR | O_CREAT, 0600);
	if (library->journal_fd < 0)
		return -errno;
	error = atomicio_journal_create(library->journal_fd, &layout, sizeof(layout));
	if (!error || error == -EEXIST)
		error = atomicio_journal_open(library->journal_fd, NULL, 0, &library->journal);
	if (!error)
		error = atomicio_journal_recover(library->journal, resolve, library, NULL, 0, NULL,
						 0);
	if (error) /* the caller closes */
		return error;
	library->options.journal = library->journal;
	library->options.file_id = 1;
	library->options.path = ATOMICIO_PATH_KERNEL;
	return 0;
}

/* Open the journal, which recovers it, and close it in order: its pages are at home and durable. */
static int recover_command(int argc, char **argv)
{
	struct library library = {0};
	int error;

	if (argc != 4)
		return 2;
	library.fd = open(argv[2], O_RDWR | O_DIRECT);
	error = library.fd < 0 ? -errno : open_journal(&library, argv[3]);
	if (!error)
		error = atomicio_journal_checkpoint(library.journal);
	if (error) {
		printf("error=%s\n", strerrorname_np(-error));
		return 1;
	}
	library_close(&library);
	close(library.fd);
	printf("recovered=1\n");
	return 0;
}

static int save_page(const char *path, const char *buffer, size_t length)
{
	FILE *out = fopen(path, "w");
	bool whole;

	if (!out)
		return -errno;
	whole = fwrite(buffer, 1, length, out) == length;
	return fclose(out) == 0 && whole ? 0 : -EBADF;
}

static int64_t submit(void *context, const struct raw_shot *shot, int fd, char *buffer)
{
	struct library *library = context;
	int error = library_open(library, fd);

	if (!error && library->before && system(library->before) != 0)
		error = -ECHILD;
	if (!error && library->save)
		error = save_page(library->save, buffer, shot->length);
	return error ? error : library_write(library, buffer, shot->offset, shot->length);
}

static bool parse_word(struct raw_shot *shot, struct library *library, const char *text,
		       const char **journal)
{
	const char *number;

	if (strcmp(text, "buffered") == 0)
		shot->open_flags &= ~O_DIRECT;
	else if (strcmp(text, "append") == 0)
		shot->open_flags |= O_APPEND;
	else if (strcmp(text, "dsync") == 0)
		library->flags |= ATOMICIO_DSYNC;
	else if (strcmp(text, "nowait") == 0)
		library->flags |= ATOMICIO_NOWAIT;
	else if (strcmp(text, "stubborn") == 0)
		library->stubborn = true;
	else if ((number = library_number(text, "save")))
		library->save = number;
	else if ((number = library_number(text, "before")))
		library->before = number;
	else if ((number = library_number(text, "misalign")))
		shot->misalign = (uint32_t)strtoul(number, NULL, 0);
	else if ((number = library_number(text, "mapped")))
		shot->mapped = strtoull(number, NULL, 0);
	else if ((number = library_number(text, "limit")))
		shot->limit = strtoull(number, NULL, 0);
	else
		return (*journal = library_number(text, "journal")) != NULL;
	return true;
}

static void print_failure(const struct library *library)
{
	const char *comma = "";

	printf("kinds=");
	for (uint32_t i = 1; i <= ATOMICIO_KIND_BROKEN; i++) {
		if (!(library->kinds_seen & 1U << i))
			continue;
		printf("%s%s", comma, atomicio_kind_name(i));
		comma = ",";
	}
	if (!*comma)
		printf("-");
	printf(" on_disk=%u", library->last.on_disk);
	print_reasons("why", library->last.reasons);
}

static int write_command(int argc, char **argv)
{
	struct library library = {0};
	struct raw_shot shot;
	struct raw_outcome outcome;
	struct atomicio_stats stats = {0};
	const char *journal = NULL;
	int error = 0;

	if (argc < 6 || !library_way(argv[5], &library.way))
		return 2;
	raw_shot_init(&shot, argv[2], strtoull(argv[3], NULL, 0), strtoull(argv[4], NULL, 0));
	for (int i = 6; i < argc; i++) {
		if (!parse_word(&shot, &library, argv[i], &journal))
			return 2;
	}
	shot.fd = open(argv[2], O_RDWR | shot.open_flags);
	shot.submit = submit;
	shot.submit_context = &library;
	library.fd = shot.fd;
	if (shot.fd < 0)
		error = -errno;
	if (!error && journal)
		error = open_journal(&library, journal);
	if (!error)
		error = raw_shoot(&shot, &outcome);
	if (error) {
		printf("error=%s\n", strerrorname_np(-error));
		return 1;
	}
	if (library.file)
		atomicio_file_get_stats(library.file, &stats, sizeof(stats));
	print_failure(&library);
	printf(" hardware=%llu filesystem=%llu journaled=%llu retries=%llu again=%u ",
	       (unsigned long long)stats.writes_hardware,
	       (unsigned long long)stats.writes_filesystem,
	       (unsigned long long)stats.writes_journal, (unsigned long long)stats.retries,
	       library.again);
	raw_outcome_print(stdout, &outcome);
	library_close(&library);
	close(shot.fd);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct raw_command commands[] = {
		{"probe", probe_command},	    {"write", write_command},
		{"recover", recover_command},	    {"sizes", library_sizes_command},
		{"dirty", library_dirty_command},   {"crowd", library_crowd_command},
		{"orphan", library_orphan_command},
	};

	return raw_run("library", commands, sizeof(commands) / sizeof(commands[0]), argc, argv);
}
