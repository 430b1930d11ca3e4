/* SPDX-License-Identifier: MIT */
/*
 * A journal and a file on the fake disk, and a group of pages in no order.
 *
 * Flow: for the tests of home writes that go out together.  Each program has its own: include it
 * once.
 */
#ifndef HOMES_MACHINE_H
#define HOMES_MACHINE_H

#include <check.h>
#include <fcntl.h>
#include <string.h>

#include "fake_aio.h"
#include "write_machine.h"

#define PAGES 6u

static struct atomicio_journal *journal;
static struct atomicio_file *file;

/* Pages in no order: 0 to 2 are neighbours, and so are 4 and 5, below the 4 KiB of padding. */
static const struct {
	uint64_t offset, length;
} places[PAGES] = {{8192, 4096}, {131072, 16384}, {0, 4096},
		   {4096, 4096}, {66048, 1536},	  {65536, 512}};

static inline void stop(void)
{
	atomicio_close(file);
	atomicio_journal_close(journal);
	ck_assert_uint_eq(fake_aio.in_air, 0);
	ck_assert_uint_eq(fake_aio.contexts, 0);
	machine_is_clean();
	journal = NULL;
	file = NULL;
}

static inline void start(int status)
{
	const struct atomicio_options options = {.file_id = 1, .path = ATOMICIO_PATH_JOURNAL};
	struct atomicio_options mine = options;

	if (journal) /* that of the fixture */
		stop();
	write_machine();
	fake_claim(512, 262144, 65536);
	fake.getfl_result = status;
	mine.journal = journal = machine_journal();
	file = machine_open(&mine);
	fake.pwritev2_calls = 0;
}

static inline void direct(void)
{
	start(O_RDWR | O_DIRECT);
}

static inline int write_group_by(struct atomicio_queue *queue, uint32_t flags)
{
	struct atomicio_op ops[PAGES];

	for (uint32_t i = 0; i < PAGES; i++) {
		memset(page + i * PAGE, (int)(NEW + i), PAGE);
		ops[i] = (struct atomicio_op){.file = file,
					      .buffer = page + i * PAGE,
					      .length = places[i].length,
					      .offset = places[i].offset};
	}
	return atomicio_write_batch(queue, ops, PAGES, flags);
}

static inline int write_group(void)
{
	return write_group_by(NULL, ATOMICIO_ALL_OR_NONE);
}

static inline void all_home(void)
{
	uint64_t pages = 0;

	for (uint32_t i = 0; i < PAGES; i++) {
		ck_assert(disk_holds(places[i].offset, places[i].length, (int)(NEW + i)));
		pages += places[i].length;
	}
	for (uint64_t i = 0; i < DISK_BYTES; i++)
		pages -= disk.bytes[0][i] != DISK_OLD;
	ck_assert_uint_eq(pages, 0);
}

#endif /* HOMES_MACHINE_H */
