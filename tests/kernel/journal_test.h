/* SPDX-License-Identifier: MIT */
/*
 * Journals in test programs: make, open, recover, and a child that leaves one unclean.
 *
 * Flow: on top of kernel_test.h, for the programs journal and journal_crash.
 */
#ifndef JOURNAL_TEST_H
#define JOURNAL_TEST_H

#include "kernel_test.h"

#include <signal.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "libatomicio/journal.h"

/* Files by their id, for recovery; fd 0: the file is gone. */
struct journal_files {
	int fds[8];
};

static inline int journal_find(void *context, uint64_t file_id)
{
	const struct journal_files *files = context;

	if (file_id == 0 || file_id > 8)
		return -ESTALE;
	return files->fds[file_id - 1] > 0 ? files->fds[file_id - 1] : -ENOENT;
}

/* O_APPEND, where a write can be kept from the end all the same; 0 on overlay. */
static inline int journal_append(void)
{
	struct statfs status;

	MUST(statfs(kernel_directory, &status));
	return status.f_type == 0x794c7630 ? 0 : O_APPEND;
}

/* A fresh journal of `size` bytes, made and closed; returns its descriptor. */
static inline int journal_fresh(const char *name, uint64_t size)
{
	const struct atomicio_journal_options options = {.size = size};
	const int fd = kernel_file(name, 0, O_RDWR);

	CHECK_EQ(atomicio_journal_create(fd, &options, sizeof(options)), 0);
	return fd;
}

static inline void journal_put(int fd, const uint8_t *bytes, size_t length, uint64_t offset)
{
	CHECK_EQ(pwrite(fd, bytes, length, (off_t)offset), length);
}

static inline struct atomicio_journal *journal_start(int fd)
{
	struct atomicio_journal *journal = NULL;

	CHECK_EQ(atomicio_journal_open(fd, NULL, 0, &journal), 0);
	return journal;
}

static inline struct atomicio_journal_info journal_look(const struct atomicio_journal *journal)
{
	struct atomicio_journal_info info;

	CHECK_EQ(atomicio_journal_get_info(journal, &info, sizeof(info)), 0);
	return info;
}

static inline struct atomicio_file *journal_attached(struct atomicio_journal *journal, int fd,
						     uint64_t file_id, uint32_t path)
{
	const struct atomicio_options options = {.policy = atomicio_policy_strict,
						 .journal = journal,
						 .file_id = file_id,
						 .path = path};

	return kernel_open(fd, &options);
}

/* Open the journal, recover into these files, and close it. */
static inline struct atomicio_recovery journal_replay(int fd, struct journal_files *files)
{
	struct atomicio_journal *journal = journal_start(fd);
	struct atomicio_recovery done;

	CHECK_EQ(atomicio_journal_recover(journal, journal_find, files, NULL, 0, &done,
					  sizeof(done)),
		 0);
	CHECK_EQ(journal_look(journal).state, ATOMICIO_JOURNAL_READY);
	CHECK_EQ(journal_look(journal).live_frames, 0);
	atomicio_journal_close(journal);
	return done;
}

/* Run `body` in a child; the child then dies like a killed program, without any close. */
static inline void journal_in_a_child(void (*body)(void *context), void *context)
{
	const pid_t child = fork();
	int status;

	MUST(child);
	if (child == 0) {
		/* A failed check ends the child with a status of its own. */
		if (!setjmp(kernel_failed)) {
			body(context);
			fflush(stdout);
			raise(SIGKILL);
		}
		fflush(stdout);
		_exit(1);
	}
	MUST(waitpid(child, &status, 0));
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

#endif /* JOURNAL_TEST_H */
