/* SPDX-License-Identifier: MIT */
/*
 * Files, memory and journal of the benches.
 *
 * Flow: see stage.h.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stage.h"

#define HUGE_PAGE (UINT32_C(2) << 20)

struct stage stage;

static const char *const home_names[HOMES] = {"direct", "buffered", "copy-on-write"};

static void put(int fd, const void *bytes, size_t length, uint64_t offset)
{
	if (pwrite(fd, bytes, length, (off_t)offset) != (ssize_t)length)
		err(1, "pwrite");
}

/* A file of `size` bytes that are written. */
int stage_make_file(const char *name, uint64_t size, int flags)
{
	const struct ways_writer *writer = &stage.workers[0].writer;
	const size_t piece = (size_t)WAYS_PAGES_MAX * PAGE;
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_DIRECT | O_CLOEXEC, 0644);

	if (fd < 0)
		err(1, "%s", name);
	for (uint64_t offset = 0; offset < size; offset += piece)
		put(fd, writer->memory, piece, offset);
	if (fdatasync(fd))
		err(1, "fdatasync");
	if (flags & O_DIRECT)
		return fd;
	close(fd);
	fd = open(name, O_RDWR | O_CLOEXEC | flags);
	if (fd < 0)
		err(1, "%s", name);
	return fd;
}

void stage_open_journal(const char *name, uint64_t size, uint32_t frame_max, bool create)
{
	const struct atomicio_journal_options options = {.size = size, .frame_max = frame_max};

	stage.journal_fd = open(name, O_RDWR | O_CLOEXEC | (create ? O_CREAT | O_TRUNC : 0), 0644);
	if (stage.journal_fd < 0)
		err(1, "%s", name);
	if (create)
		check(atomicio_journal_create(stage.journal_fd, &options, sizeof(options)),
		      "atomicio_journal_create");
	check(atomicio_journal_open(stage.journal_fd, NULL, 0, &stage.journal),
	      "atomicio_journal_open");
}

struct atomicio_journal_info stage_info(void)
{
	struct atomicio_journal_info info = {.size = 0};

	check(atomicio_journal_get_info(stage.journal, &info, sizeof(info)),
	      "atomicio_journal_get_info");
	return info;
}

void stage_open_homes(void)
{
	for (uint32_t i = 0; i < HOMES; i++) {
		struct atomicio_options options = {
			.path = ATOMICIO_PATH_KERNEL,
			.fallback = ATOMICIO_FALLBACK_NONE,
		};

		if (i != COW)
			options = (struct atomicio_options){.journal = stage.journal,
							    .file_id = i + 1,
							    .path = ATOMICIO_PATH_JOURNAL};
		check(atomicio_open(stage.fds[i], &options, sizeof(options), &stage.files[i]),
		      "atomicio_open");
	}
}

void stage_close_homes(void)
{
	for (uint32_t i = 0; i < HOMES; i++)
		check(atomicio_close(stage.files[i]), "atomicio_close");
}

bool stage_has_cow(void)
{
	return atomicio_check(stage.files[COW], stage.workers[0].writer.memory, PAGE, 0) == 0;
}

/* All workers have their threads' memory and queues; a batch is the first one's alone. */
static void make_worker(uint32_t index)
{
	struct ways_writer *writer = &stage.workers[index].writer;
	const uint32_t pages = index == 0 ? WAYS_PAGES_MAX : THREADS_MAX;
	void *memory;

	if (posix_memalign(&memory, 4096, (size_t)pages * PAGE))
		err(1, "memory");
	memset(memory, 'a' + (int)index, (size_t)pages * PAGE);
	*writer = (struct ways_writer){
		.size = PAGE,
		.pages = pages,
		.span = FILE_SIZE,
		.memory = memory,
		.random = index,
		.copy_offset = (uint64_t)(index == 0 ? 0 : WAYS_PAGES_MAX + index) * PAGE,
	};
	stage.workers[index].memory = memory;
	check(ways_begin(writer), "ways_begin");
	check(atomicio_queue_create(WAYS_PAGES_MAX, &writer->queue), "atomicio_queue_create");
}

/*
 * Memory as a buffer pool in huge pages has it: the disk gets a write in few pieces.  The library's
 * own memory of frames is such memory, whatever the caller's is.
 */
static void make_huge(void)
{
	const size_t size = (size_t)WAYS_PAGES_MAX * PAGE;
	void *memory;

	if (posix_memalign(&memory, HUGE_PAGE, size))
		err(1, "memory");
	(void)madvise(memory, size, MADV_HUGEPAGE); /* without: ordinary memory */
	memset(memory, 'h', size);
	stage.huge = memory;
}

static void make_rivals(void)
{
	stage.copy = stage_make_file("copy", (uint64_t)2 * WAYS_PAGES_MAX * PAGE, O_DIRECT);
	stage.log = stage_make_file("log", LOG_SIZE, O_DIRECT);
	for (uint32_t i = 0; i < THREADS_MAX; i++) {
		stage.workers[i].writer.copy = stage.copy;
		stage.workers[i].writer.log = stage.log;
		stage.workers[i].writer.log_size = LOG_SIZE;
	}
}

void stage_begin(double seconds, uint32_t parts)
{
	stage.copy = stage.log = -1;
	stage.head_known_for = 0;
	stage.slice_ns = seconds * 1e9 / 16;
	stage.slice_ns = stage.slice_ns > SLICE_NS_MAX ? SLICE_NS_MAX : stage.slice_ns;
	stage.slice_ns = stage.slice_ns < SLICE_NS_MIN ? SLICE_NS_MIN : stage.slice_ns;
	for (uint32_t i = 0; i < THREADS_MAX; i++)
		make_worker(i);
	for (uint32_t i = 0; i < HOMES; i++)
		stage.fds[i] = stage_make_file(home_names[i],
					       i != COW || parts & STAGE_RIVALS ? FILE_SIZE : 0,
					       i == BUFFERED ? 0 : O_DIRECT);
	if (parts & STAGE_RIVALS)
		make_rivals();
	make_huge();
	if (!(parts & STAGE_JOURNAL))
		return;
	stage_open_journal("journal", LOG_SIZE, 0, true);
	stage_open_homes();
}

void stage_end(void)
{
	stage_close_homes();
	atomicio_journal_close(stage.journal);
	close(stage.journal_fd);
	for (uint32_t i = 0; i < HOMES; i++)
		close(stage.fds[i]);
	if (stage.copy >= 0)
		close(stage.copy);
	if (stage.log >= 0)
		close(stage.log);
	free(stage.huge);
	for (uint32_t i = 0; i < THREADS_MAX; i++) {
		struct ways_writer *writer = &stage.workers[i].writer;

		ways_end(writer);
		atomicio_queue_destroy(writer->queue);
		free(stage.workers[i].memory);
	}
}

void stage_remove_files(void)
{
	for (uint32_t i = 0; i < HOMES; i++)
		(void)unlink(home_names[i]);
	(void)unlink("copy");
	(void)unlink("log");
	(void)unlink("journal");
}

uint32_t stage_pages(const struct rival *rival)
{
	return rival->shape == WAYS_PAGE ? 1 : rival->pages;
}

uint32_t stage_contenders(const struct rival *rival, struct contender *contenders)
{
	uint32_t count = 0;

	if (rival->home == COW && !stage_has_cow())
		return 0;
	for (uint32_t engine = 0; engine < WAYS_ENGINES; engine++) {
		if (rival->step ? engine != WAYS_CALLS
				: !ways_has_engine(&stage.workers[0].writer, rival->way,
						   (enum ways_engine)engine, rival->shape))
			continue;
		if (rival->fixed && engine != rival->engine)
			continue;
		contenders[count++] =
			(struct contender){.rival = *rival, .engine = (enum ways_engine)engine};
	}
	return count;
}

const char *stage_through(const struct contender *contender)
{
	if (contender->rival.step)
		return contender->rival.step_through;
	return ways_engine_name(contender->rival.way, contender->engine);
}
