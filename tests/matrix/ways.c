/* SPDX-License-Identifier: MIT */
/* The ways of writing (matrix.h). */
#define _GNU_SOURCE
#include "ways.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static const struct way {
	const char *name;
	int flags; /* of the descriptor */
	bool has_journal;
	uint32_t path, fallback, open_flags;
	enum { SINGLE, BATCH, GROUP, QUEUE, RING, ENTRIES } how;
} ways[] = {
	{"kernel", O_DIRECT, false, ATOMICIO_PATH_KERNEL, 0, 0, SINGLE},
	{"auto", O_DIRECT, true, ATOMICIO_PATH_AUTO, 0, 0, SINGLE},
	{"reopen", 0, true, ATOMICIO_PATH_AUTO, 0, ATOMICIO_OPEN_REOPEN_DIRECT, SINGLE},
	{"journal-direct", O_DIRECT, true, ATOMICIO_PATH_JOURNAL, 0, 0, SINGLE},
	{"journal-cached", 0, true, ATOMICIO_PATH_JOURNAL, 0, 0, SINGLE},
	{"plain-direct", O_DIRECT, false, 0, ATOMICIO_FALLBACK_PLAIN, 0, SINGLE},
	{"plain-cached", 0, false, 0, ATOMICIO_FALLBACK_PLAIN, 0, SINGLE},
	{"batch", 0, true, ATOMICIO_PATH_AUTO, 0, 0, BATCH},
	{"group", O_DIRECT, true, ATOMICIO_PATH_JOURNAL, 0, 0, GROUP},
	{"queue", O_DIRECT, true, ATOMICIO_PATH_AUTO, 0, 0, QUEUE},
	{"ring", O_DIRECT, true, ATOMICIO_PATH_AUTO, 0, 0, RING},
	{"entries", O_DIRECT, true, ATOMICIO_PATH_JOURNAL, 0, 0, ENTRIES},
};

static struct atomicio_file *file;
static int page_fd;
static struct atomicio_journal *journal;
static struct atomicio_queue *queue;
static __thread struct outcome *current;

static const struct way *find_way(const char *name)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (!strcmp(name, ways[i].name))
			return &ways[i];
	return NULL;
}

bool way_is_known(const char *name)
{
	return find_way(name) != NULL;
}

bool way_uses_journal(const char *name)
{
	return find_way(name)->has_journal;
}

bool way_is_batch(const char *name)
{
	return find_way(name)->how != SINGLE && find_way(name)->how < RING;
}

int way_flags(void)
{
	return find_way(cell->way)->flags;
}

/* The default policy, with a record of each failure. */
static uint32_t policy(void *context, const struct atomicio_failure *failure)
{
	const uint32_t answer = atomicio_policy_default(context, failure);
	struct outcome *outcome = current ? current : &cell->pages[failure->offset / LENGTH];

	outcome->on_disk = failure->on_disk;
	if (answer == ATOMICIO_FALLBACK && !way_uses_journal(cell->way))
		outcome->went_plain = true;
	return answer;
}

int way_open(int fd, int log_fd)
{
	const struct way *way = find_way(cell->way);
	const struct atomicio_journal_options layout = {.size = 512 << 10, .frame_max = 192 << 10};
	struct atomicio_options options = {.policy = policy,
					   .file_id = 1,
					   .path = way->path,
					   .fallback = way->fallback,
					   .flags = way->open_flags};
	int error = 0;

	page_fd = fd;
	if (way->has_journal) {
		error = atomicio_journal_create(log_fd, &layout, sizeof(layout));
		if (!error || error == -EEXIST)
			error = atomicio_journal_open(log_fd, NULL, 0, &journal);
		options.journal = journal;
	}
	if (!error && way->how == QUEUE)
		error = atomicio_queue_create(4, &queue);
	if (!error && way->how == ENTRIES)
		error = atomicio_uring_begin(journal, PAGES, -1);
	return error ? error : atomicio_open(fd, &options, sizeof(options), &file);
}

static void write_single(uint32_t number, const void *page)
{
	struct outcome *outcome = &cell->pages[number];

	current = outcome;
	outcome->was_tried = true;
	outcome->result = -EINPROGRESS;
	outcome->result = atomicio_write(file, page, LENGTH, (uint64_t)number * LENGTH,
					 fault_write_flags(number));
}

static void write_batch(uint32_t first, uint32_t count, uint8_t *pages, uint32_t flags)
{
	struct atomicio_op ops[PAGES] = {{.file = NULL}};
	int error;

	current = NULL;
	for (uint32_t i = 0; i < count; i++) {
		ops[i] = (struct atomicio_op){.file = file,
					      .buffer = pages + (size_t)i * LENGTH,
					      .offset = (uint64_t)(first + i) * LENGTH,
					      .length = LENGTH,
					      .result = -EINPROGRESS};
		cell->pages[first + i].was_tried = true;
		cell->pages[first + i].result = -EINPROGRESS;
	}
	error = atomicio_write_batch(queue, ops, count, flags);
	for (uint32_t i = 0; i < count; i++)
		cell->pages[first + i].result =
			flags & ATOMICIO_ALL_OR_NONE ? error : ops[i].result;
}

void way_write(uint32_t first, uint32_t count)
{
	const struct way *way = find_way(cell->way);
	uint8_t *pages = aligned_alloc(4096, (size_t)PAGES * LENGTH);

	if (!pages)
		return;
	for (uint32_t i = 0; i < count; i++)
		matrix_fill(pages + (size_t)i * LENGTH, first + i, true);
	if (way->how == SINGLE)
		for (uint32_t i = 0; i < count; i++)
			write_single(first + i, pages + (size_t)i * LENGTH);
	else if (way->how >= RING)
		ring_write(file, page_fd, way->how == ENTRIES ? journal : NULL, first, count, pages,
			   fault_write_flags(first));
	else
		write_batch(first, count, pages,
			    fault_write_flags(first) |
				    (way->how == GROUP ? ATOMICIO_ALL_OR_NONE : 0));
	free(pages);
}

int way_sync(void)
{
	return atomicio_sync(file);
}
