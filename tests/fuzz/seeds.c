/* SPDX-License-Identifier: MIT */
/*
 * Make the first inputs of the fuzz targets: journals as the library writes them.
 *
 * Flow: `seeds DIRECTORY`, from run.sh.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal_internal.h"
#include "loss.h"
#include "memory_sys.h"

#define CHECK(call)                                                                                \
	do {                                                                                       \
		if (call) {                                                                        \
			fprintf(stderr, "seeds: %s failed\n", #call);                              \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

static struct journal_file files[2] = {
	{.fd = MEMORY_HOME_FD, .file_id = 1, .inode = 1},
	{.fd = MEMORY_HOME_FD + 1, .file_id = 2, .inode = 2},
};

static struct loss losses[2];

static uint8_t page[8192];

/* A group of pages of one length, by turns of both files. */
static int write_group(struct atomicio_journal *journal, uint32_t length, uint32_t count)
{
	struct journal_page pages[3];

	for (uint32_t i = 0; i < count; i++)
		pages[i] = (struct journal_page){.file = &files[i % 2],
						 .buffer = page,
						 .offset = UINT64_C(4096) * i,
						 .length = length};
	return journal_commit(journal, pages, count, false);
}

static void save(const char *directory, const char *name, int mode)
{
	char path[4096];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s-%d", directory, name, mode);
	out = fopen(path, "wb");
	if (!out) {
		perror(path);
		exit(1);
	}
	if (mode >= 0)
		fputc(mode, out);
	fwrite(memory.journal, 1, memory.size, out);
	fclose(out);
}

int main(int argc, char **argv)
{
	static const uint32_t lengths[] = {512, 4096, 5000, 100};
	const struct atomicio_journal_options options = {.size = 16384 + 65536, .frame_max = 32768};
	struct atomicio_journal *journal;

	if (argc != 2) {
		fprintf(stderr, "usage: seeds DIRECTORY\n");
		return 2;
	}
	memset(page, 0x31, sizeof(page));
	CHECK(journal_create(&memory_sys, MEMORY_JOURNAL_FD, &options, sizeof(options)));
	save(argv[1], "empty", 0);
	CHECK(journal_open(&memory_sys, MEMORY_JOURNAL_FD, &journal));
	for (int i = 0; i < 2; i++) {
		CHECK(loss_open(&losses[i], &memory_sys, files[i].fd, files[i].fd, 0, NULL));
		files[i].loss = &losses[i];
		CHECK(journal_attach(journal, &files[i]));
	}
	for (uint32_t i = 0; i < 4; i++)
		CHECK(write_group(journal, lengths[i], i % 3 + 1));
	for (int mode = 0; mode < 8; mode++)
		save(argv[1], "live", mode);
	CHECK(journal_checkpoint(journal));
	for (uint32_t i = 0; i < 3; i++)
		CHECK(write_group(journal, lengths[i], 3));
	save(argv[1], "wrapped", 0);
	save(argv[1], "wrapped", 3);
	/* A torn last frame, and a damaged one in the middle. */
	memory.journal[journal->head_offset - 4096] ^= 1;
	save(argv[1], "torn", 0);
	memory.journal[journal->header.tail_offset + 4096] ^= 1;
	save(argv[1], "damaged", 0);
	return 0;
}
