/* SPDX-License-Identifier: MIT */
/*
 * Groups, short and long, and batches that are none.
 *
 * Flow: scenarios.c has the table.
 */
#include <errno.h>

#include "scenarios.h"

void run_group(struct world *w, uint32_t boot)
{
	static const struct step_page spread[] = {
		{.handle = 0, .offset = 0, .length = 4096},
		{.handle = 1, .offset = 4096, .length = 1536},
		{.handle = 2, .offset = 8192, .length = 512},
	};
	static const struct step_page overlapping[] = {
		{.handle = 0, .offset = 0, .length = 4096},
		{.handle = 0, .offset = 2048, .length = 4096},
		{.handle = 0, .offset = 3072, .length = 512},
	};

	(void)w;
	for (uint32_t i = 0; i < 3; i++)
		step_open(i, i + 1, J, i == 1 ? OPEN_BUFFERED : 0);
	step_group(PAGES(spread));
	step_group_refused(overlapping, 3, -EINVAL);
	if (boot == 0)
		step_group(PAGES(spread));
	step_write(1, 4096, 512, 0);
	for (uint32_t i = 0; i < 3; i++)
		step_close(i);
}

/* Groups of three pages, each of which fills a frame. */
void run_chain(struct world *w, uint32_t boot)
{
	static const struct step_page pages[] = {
		{.handle = 0, .offset = 0, .length = 4096},
		{.handle = 1, .offset = 4096, .length = 512},
		{.handle = 0, .offset = 8192, .length = 1536},
	};

	(void)w;
	step_open(0, 1, J, 0);
	step_open(1, 2, J, boot ? OPEN_BUFFERED : 0);
	step_group(PAGES(pages));
	step_write(0, 0, 4096, 0);
	step_group(PAGES(pages));
	if (boot == 0) {
		step_group(PAGES(pages));
		step_write(1, 4096, 1536, 0);
	}
	step_close(0);
}

void run_batch(struct world *w, uint32_t boot)
{
	static const struct step_page pages[] = {
		{.handle = 0, .offset = 0, .length = 4096},
		{.handle = 1, .offset = 0, .length = 4096},
		{.handle = 0, .offset = 8192, .length = 512},
		{.handle = 1, .offset = 8192, .length = 1536},
	};

	(void)w;
	step_open(0, 1, J, 0);
	step_open(1, 3, J, OPEN_BUFFERED);
	step_group(LOOSE(pages));
	step_write(0, 0, 4096, 0);
	if (boot == 0)
		step_group(LOOSE(pages));
	step_close(1);
}

/* A batch of which the hardware takes a part and the journal the rest. */
void run_batch_mixed(struct world *w, uint32_t boot)
{
	static const struct step_page pages[] = {
		{.handle = 0, .offset = 0, .length = 4096},
		{.handle = 1, .offset = 4096, .length = 4096},
		{.handle = 0, .offset = 8192, .length = 1536},
		{.handle = 2, .offset = 0, .length = 512},
	};

	(void)w;
	step_open(0, 1, ATOMICIO_PATH_AUTO, 0);
	step_open(1, 1, J, 0);
	step_open(2, 2, ATOMICIO_PATH_KERNEL, 0);
	step_group(LOOSE(pages));
	step_write(1, 0, 512, 0);
	step_group(LOOSE(pages));
	if (boot == 0)
		step_write(2, 0, 4096, 0);
}
