/* SPDX-License-Identifier: MIT */
/*
 * The command line of raw: one command, one call or one series of calls, one line of facts.
 *
 * Flow: run by the guest's scripts; see raw.h for the rest.
 *
 *	raw statx PATH		raw queue PATH		raw confirm PATH [buffered]
 *	raw fill PATH SIZE	raw sweep PATH MIN MAX	raw dirty PATH SIZE COUNT mmap|write [uring]
 *	raw write PATH OFFSET LENGTH [buffered] [append] [noappend] [dsync] [nowait] [plain]
 *		[warm] [uring|uring-writev|uring-fixed] [link] [segments=N] [misalign=N] [mapped=N]
 *		[limit=N]
 */
#define _GNU_SOURCE
#include "raw.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct word {
	const char *name;
	int set_open;
	int clear_open;
	int set_rwf;
	int clear_rwf;
	int via; /* -1: leave it */
};

static const struct word words[] = {
	{"buffered", 0, O_DIRECT, 0, 0, -1},
	{"append", O_APPEND, 0, 0, 0, -1},
	{"noappend", 0, 0, RAW_RWF_NOAPPEND, 0, -1},
	{"dsync", 0, 0, RAW_RWF_DSYNC, 0, -1},
	{"nowait", 0, 0, RAW_RWF_NOWAIT, 0, -1},
	{"plain", 0, 0, 0, RAW_RWF_ATOMIC, -1},
	{"uring", 0, 0, 0, 0, RAW_URING_WRITE},
	{"uring-writev", 0, 0, 0, 0, RAW_URING_WRITEV},
	{"uring-fixed", 0, 0, 0, 0, RAW_URING_FIXED},
};

static bool parse_number(const char *text, const char *key, uint64_t *value)
{
	size_t length = strlen(key);

	if (strncmp(text, key, length) != 0 || text[length] != '=')
		return false;
	*value = strtoull(text + length + 1, NULL, 0);
	return true;
}

static bool parse_word(struct raw_shot *shot, const char *text)
{
	uint64_t value = 0;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(text, words[i].name) != 0)
			continue;
		shot->open_flags = (shot->open_flags | words[i].set_open) & ~words[i].clear_open;
		shot->rwf = (shot->rwf | words[i].set_rwf) & ~words[i].clear_rwf;
		if (words[i].via >= 0)
			shot->via = (enum raw_via)words[i].via;
		return true;
	}
	if (strcmp(text, "warm") == 0) {
		shot->warm = 1;
		return true;
	}
	if (strcmp(text, "link") == 0) {
		shot->linked = 1;
		return true;
	}
	if (parse_number(text, "segments", &value)) {
		shot->segments = (uint32_t)value;
		return true;
	}
	if (parse_number(text, "misalign", &value)) {
		shot->misalign = (uint32_t)value;
		return true;
	}
	return parse_number(text, "mapped", &shot->mapped) ||
	       parse_number(text, "limit", &shot->limit);
}

static int raw_write_command(int argc, char **argv)
{
	struct raw_shot shot;
	struct raw_outcome outcome;
	int error;

	if (argc < 5)
		return 2;
	raw_shot_init(&shot, argv[2], strtoull(argv[3], NULL, 0), strtoull(argv[4], NULL, 0));
	for (int i = 5; i < argc; i++) {
		if (!parse_word(&shot, argv[i]))
			return 2;
	}
	error = raw_shoot(&shot, &outcome);
	if (error) {
		printf("error=%s\n", strerrorname_np(-error));
		return 1;
	}
	raw_outcome_print(stdout, &outcome);
	return 0;
}

/* Write SIZE bytes of old contents, durably: what later writes are told from. */
int raw_fill_command(int argc, char **argv)
{
	static char block[64 * 1024];
	uint64_t size, done;
	int fd;

	if (argc != 4)
		return 2;
	size = strtoull(argv[3], NULL, 0);
	fd = open(argv[2], O_RDWR | O_CREAT, 0600);
	if (fd < 0) {
		printf("error=%s\n", strerrorname_np(errno));
		return 1;
	}
	for (done = 0; done < size;) {
		size_t part = size - done < sizeof(block) ? (size_t)(size - done) : sizeof(block);
		ssize_t result;

		raw_fill(block, sizeof(block), done + 1);
		result = pwrite(fd, block, part, (off_t)done);
		if (result <= 0)
			break;
		done += (uint64_t)result;
	}
	if (done != size || fsync(fd) != 0) {
		printf("error=%s done=%llu\n", strerrorname_np(errno), (unsigned long long)done);
		close(fd);
		return 1;
	}
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
	printf("filled=%llu\n", (unsigned long long)done);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct raw_command commands[] = {
		{"statx", raw_statx_command},	  {"queue", raw_queue_command},
		{"confirm", raw_confirm_command}, {"write", raw_write_command},
		{"sweep", raw_sweep_command},	  {"dirty", raw_dirty_command},
		{"fill", raw_fill_command},
	};

	return raw_run("raw", commands, sizeof(commands) / sizeof(commands[0]), argc, argv);
}
