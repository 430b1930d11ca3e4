/* SPDX-License-Identifier: MIT */
/* The oracle of the matrix: recovery, then each page against its reported state (matrix.h). */
#define _GNU_SOURCE
#include "matrix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int page_fd = -1;

void matrix_fill(void *page, uint32_t number, bool is_new)
{
	uint64_t *words = page;

	for (uint32_t i = 0; i < LENGTH / sizeof(*words); i++)
		words[i] = (uint64_t)(number + 1) << 32 | (is_new ? 2 : 1);
}

int matrix_open(const char *directory, const char *name, int flags)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return open(path, O_RDWR | O_CLOEXEC | flags, 0600);
}

static int find(void *context, uint64_t file_id)
{
	(void)context;
	return file_id == 1 ? page_fd : -ENOENT;
}

static int recover(const char *directory)
{
	struct atomicio_journal *journal;
	const int fd = matrix_open(directory, "journal", 0);
	int error = fd < 0 ? -errno : atomicio_journal_open(fd, NULL, 0, &journal);

	if (error == -ENODATA || error == -ENOENT)
		return 0; /* never made: nothing went through the journal */
	if (error)
		return error;
	error = atomicio_journal_recover(journal, find, NULL, NULL, 0, NULL, 0);
	atomicio_journal_close(journal);
	close(fd);
	return error;
}

static enum page_state state_of(uint32_t number)
{
	static uint8_t page[LENGTH] __attribute__((aligned(4096)));
	static uint8_t expected[LENGTH];

	const ssize_t length = pread(page_fd, page, LENGTH, (off_t)(number * LENGTH));

	if (cell->is_short && length >= 0)
		memset(page + length, 0, LENGTH - (size_t)length); /* as before a page behind it */
	else if (length != LENGTH)
		return MIXED_PAGE;
	matrix_fill(expected, number, false);
	if (cell->is_short)
		memset(expected, 0, LENGTH);
	if (!memcmp(page, expected, LENGTH))
		return OLD_PAGE;
	matrix_fill(expected, number, true);
	return memcmp(page, expected, LENGTH) ? MIXED_PAGE : NEW_PAGE;
}

static const char *judge_page(const struct outcome *outcome, enum page_state state)
{
	if (!outcome->was_tried)
		return state == OLD_PAGE ? NULL : "changed, and was never written";
	if (outcome->result == 0 && outcome->is_lazy && cell->sync_result)
		return NULL; /* "lost", and the sync said so */
	if (outcome->result == 0)
		return state == NEW_PAGE ? NULL : "returned 0 and is not there";
	if (outcome->on_disk == ATOMICIO_DISK_UNKNOWN)
		return NULL;
	if (state == MIXED_PAGE)
		return outcome->went_plain && outcome->on_disk != ATOMICIO_DISK_OLD
			       ? NULL
			       : "is a mixture";
	if (outcome->on_disk == ATOMICIO_DISK_OLD && state != OLD_PAGE)
		return "was said to be old, and is new";
	return NULL;
}

/* X8.  A replay would hide pages that went to a wrong place: the journal still has these pages. */
static bool has_grown(void)
{
	struct stat stat;

	return fstat(page_fd, &stat) < 0 || stat.st_size > (off_t)(PAGES * LENGTH);
}

const char *judge(const char *directory, bool is_cut)
{
	static char text[200];
	int error;

	fault_free_inode(directory);
	page_fd = matrix_open(directory, "pages", 0);
	if (page_fd < 0)
		return "the file is gone";
	if (has_grown())
		return "bytes went behind the last page";
	error = way_uses_journal(cell->way) ? recover(directory) : 0;
	if (error) /* once: the first sync receives the losses of others, and has to run
		      again */
		error = recover(directory);
	/* The disk is asked, not the cache. */
	(void)fsync(page_fd);
	(void)posix_fadvise(page_fd, 0, 0, POSIX_FADV_DONTNEED);
	text[0] = '\0';
	if (error)
		snprintf(text, sizeof(text), "recovery: %s", strerror(-error));
	for (uint32_t i = PAGES - 2; i < PAGES && fault_makes_room() && !text[0]; i++)
		if (cell->set_up && !cell->setup_result && cell->pages[i].result)
			snprintf(text, sizeof(text), "page %u: there is room, and it failed: %s", i,
				 strerror(-cell->pages[i].result));
	for (uint32_t i = 0; i < PAGES && !text[0]; i++) {
		const char *wrong = judge_page(&cell->pages[i], state_of(i));

		if (wrong)
			snprintf(text, sizeof(text), "page %u %s%s (result %d, on_disk %u)", i,
				 wrong, is_cut ? " after a cut" : "", cell->pages[i].result,
				 cell->pages[i].on_disk);
	}
	close(page_fd);
	return text[0] ? text : NULL;
}
