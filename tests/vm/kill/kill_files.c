/* SPDX-License-Identifier: MIT */
/*
 * The files of one target: made once, and after each cut recovered and read.
 *
 * Flow: from kill_guest.c, a thread a disk.  Nothing here judges: the versions go to the judge.
 */
#define _GNU_SOURCE
#include "kill_guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define JOURNAL_SIZE (1U << 20) /* small: fills and wraps in every life */
#define PATH_SIZE 64

static uint32_t file_count(const struct kill_target *target)
{
	return target->way == KILL_JOURNAL ? 2 : 1;
}

uint64_t kill_place(const struct kill_target *target, uint32_t page, uint32_t *file)
{
	*file = page % file_count(target);
	return (uint64_t)(page / file_count(target)) * target->page_size;
}

static int open_one(const struct kill_target *target, const char *directory, const char *suffix,
		    int flags)
{
	char path[PATH_SIZE];
	int fd;

	snprintf(path, sizeof(path), "%s/%s%s", directory, target->name, suffix);
	fd = open(path, flags | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		kill_wrong(target, path, errno);
	return fd;
}

/* The second file of a journal is buffered, all others are direct. */
static int open_pages(const struct kill_target *target, const char *directory, uint32_t file,
		      int flags)
{
	return open_one(target, directory, file ? ".1" : ".0", flags | (file ? 0 : O_DIRECT));
}

void kill_make(const struct kill_target *target, uint64_t life, const char *directory)
{
	const struct atomicio_journal_options options = {.size = JOURNAL_SIZE};
	char *memory = kill_memory();
	int fds[2] = {-1, -1}, journal, error;

	for (uint32_t i = 0; i < file_count(target); i++)
		fds[i] = open_pages(target, directory, i, O_CREAT | O_TRUNC);
	for (uint32_t page = 0; page < target->pages; page++) {
		uint32_t file;
		uint64_t offset = kill_place(target, page, &file);

		kill_stamp(memory, target, life, page, 0);
		if (pwrite(fds[file], memory, target->page_size, (off_t)offset) !=
		    (ssize_t)target->page_size)
			kill_wrong(target, "first write", errno);
	}
	for (uint32_t i = 0; i < file_count(target); i++) {
		if (fsync(fds[i]) != 0)
			kill_wrong(target, "first fsync", errno);
		close(fds[i]);
	}
	free(memory);
	if (target->way != KILL_JOURNAL)
		return;
	journal = open_one(target, directory, ".journal", O_CREAT | O_TRUNC);
	error = atomicio_journal_create(journal, &options, sizeof(options));
	if (error)
		kill_wrong(target, "create of the journal", -error);
	close(journal);
}

static int resolve(void *context, uint64_t file_id)
{
	const struct kill_files *files = context;

	return file_id == 1 || file_id == 2 ? files->fds[file_id - 1] : -EBADF;
}

static void recover(struct kill_files *files, const char *directory)
{
	struct kill_record record = {.magic = KILL_MAGIC, .kind = KILL_RECOVERED};
	struct atomicio_recovery recovery = {0};
	int error;

	files->journal_fd = open_one(files->target, directory, ".journal", O_DIRECT);
	error = atomicio_journal_open(files->journal_fd, NULL, 0, &files->journal);
	if (error)
		kill_wrong(files->target, "open of the journal", -error);
	error = atomicio_journal_recover(files->journal, resolve, files, NULL, 0, &recovery,
					 sizeof(recovery));
	if (error)
		kill_wrong(files->target, "recovery", -error);
	record.target = (uint32_t)(files->target - kill_targets);
	record.number = recovery.frames;
	record.tail_torn = recovery.tail_torn;
	kill_tell(&record);
}

/* Read through separate direct descriptors: the bytes of the disk, not of memory. */
static void check(const struct kill_files *files, const char *directory)
{
	const struct kill_target *target = files->target;
	struct kill_record record = {.magic = KILL_MAGIC, .kind = KILL_FOUND};
	char *memory = kill_memory();
	int fds[2] = {-1, -1};

	record.target = (uint32_t)(target - kill_targets);
	for (uint32_t i = 0; i < file_count(target); i++)
		fds[i] = open_one(target, directory, i ? ".1" : ".0", O_DIRECT);
	for (uint32_t page = 0; page < target->pages; page++) {
		uint32_t file;
		uint64_t offset = kill_place(target, page, &file);

		if (pread(fds[file], memory, target->page_size, (off_t)offset) !=
		    (ssize_t)target->page_size)
			kill_wrong(target, "read", errno);
		record.versions[page] = kill_read(memory, target, files->life, page);
	}
	for (uint32_t i = 0; i < file_count(target); i++)
		close(fds[i]);
	free(memory);
	kill_tell(&record);
}

void kill_open(struct kill_files *files, const char *directory)
{
	const struct kill_target *target = files->target;

	for (uint32_t i = 0; i < file_count(target); i++)
		files->fds[i] = open_pages(target, directory, i, 0);
	if (target->way == KILL_JOURNAL)
		recover(files, directory);
	check(files, directory);
	for (uint32_t i = 0; i < file_count(target) && target->way != KILL_NAKED; i++) {
		struct atomicio_options options = {.path = ATOMICIO_PATH_KERNEL,
						   .fallback = ATOMICIO_FALLBACK_NONE};
		int error;

		if (target->way == KILL_JOURNAL) {
			options.path = ATOMICIO_PATH_JOURNAL;
			options.fallback = ATOMICIO_FALLBACK_DEFAULT;
			options.journal = files->journal;
			options.file_id = i + 1;
		}
		error = atomicio_open(files->fds[i], &options, sizeof(options), &files->files[i]);
		if (error)
			kill_wrong(target, "atomicio_open", -error);
	}
}
