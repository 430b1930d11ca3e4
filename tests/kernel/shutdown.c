/* SPDX-License-Identifier: MIT */
/*
 * Goal: when the filesystem dies in mid-write, every page is whole afterwards, and none is
 * older than the last write that was acknowledged as durable.
 *
 * Method: threads write untorn pages of several sizes over and over; XFS_IOC_GOINGDOWN kills
 * the filesystem without writing its log; shutdown.sh mounts it again, which replays the log,
 * and the second stage compares each page with what the threads had noted:
 *
 *	shutdown DIRECTORY write NOTES		write until the filesystem dies
 *	shutdown DIRECTORY verify NOTES		after the remount
 */
#include "kernel_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/ioctl.h>

#define NAME "shutdown"
#define GOINGDOWN _IOR('X', 125, uint32_t) /* fs/xfs/libxfs/xfs_fs.h */
#define NO_LOG_FLUSH 2u

#define WRITERS 4
#define PAGES 8		/* of each writer */
#define SLOT (64 * KIB) /* room for one page */

static const size_t sizes[WRITERS] = {4 * KIB, 16 * KIB, 16 * KIB, 64 * KIB};

/* One writer's knowledge of its pages. */
struct notes {
	uint32_t durable[PAGES]; /* the last seed acknowledged with DSYNC */
	uint32_t tried[PAGES];	 /* the last seed given to the kernel */
	int32_t error;		 /* the error that ended the writes */
	uint32_t kind, on_disk;
};

struct writer {
	struct notes notes;
	struct atomicio_file *file;
	struct kernel_policy policy;
	uint8_t *page;
	uint32_t number;
};

static const char *stage, *notes_path;
static atomic_uint written, dying;

static uint64_t place(uint32_t writer, uint32_t page)
{
	return ((uint64_t)writer * PAGES + page) * SLOT;
}

static void *write_until_death(void *context)
{
	struct writer *writer = context;
	struct notes *notes = &writer->notes;
	const size_t size = sizes[writer->number];

	for (uint32_t seed = 2; !notes->error && seed < 1000000; seed++) {
		const uint32_t page = seed % PAGES, sync = seed & 8 ? ATOMICIO_DSYNC : 0;

		kernel_fill(writer->page, size, place(writer->number, page), seed);
		notes->tried[page] = seed;
		notes->error = atomicio_write(writer->file, writer->page, size,
					      place(writer->number, page), sync);
		/*
		 * A sync that runs into the shutdown may return 0 and still be lost (seen on 6.18,
		 * one round in eight).  No power cut can do that, since
		 * nobody is left to see the answer.  Only earlier answers bind.
		 */
		if (!notes->error && sync && !atomic_load(&dying))
			notes->durable[page] = seed;
		atomic_fetch_add(&written, !notes->error);
	}
	notes->kind = writer->policy.last.kind;
	notes->on_disk = writer->policy.last.on_disk;
	return NULL;
}

/* A30 */
static void the_filesystem_dies_under_the_writers(void)
{
	static struct writer writers[WRITERS];
	uint32_t how = NO_LOG_FLUSH;
	pthread_t threads[WRITERS];
	int fd = kernel_file(NAME, WRITERS * PAGES * SLOT, O_RDWR | O_DIRECT), notes;

	for (uint32_t i = 0; i < WRITERS; i++) {
		writers[i].number = i;
		writers[i].page = kernel_memory(sizes[i]);
		writers[i].policy.answer = ATOMICIO_FAIL;
		for (uint32_t j = 0; j < PAGES; j++)
			writers[i].notes.durable[j] = writers[i].notes.tried[j] = 1;
		writers[i].file = kernel_open_with(fd, &writers[i].policy, ATOMICIO_FALLBACK_NONE);
	}
	for (uint32_t i = 0; i < WRITERS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, write_until_death, &writers[i]), 0);
	for (int i = 0; i < 10000 && atomic_load(&written) < 300; i++)
		usleep(1000);
	atomic_store(&dying, 1);
	MUST(ioctl(fd, GOINGDOWN, &how));
	for (uint32_t i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	notes = open(notes_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	MUST(notes);
	for (uint32_t i = 0; i < WRITERS; i++) {
		CHECK(writers[i].notes.error < 0);
		CHECK_EQ(writers[i].notes.kind, ATOMICIO_KIND_MEDIA);
		CHECK_EQ(writers[i].notes.on_disk, ATOMICIO_DISK_OLD_OR_NEW);
		CHECK_EQ(write(notes, &writers[i].notes, sizeof(struct notes)),
			 sizeof(struct notes));
		atomicio_close(writers[i].file);
		free(writers[i].page);
	}
	printf("# %u writes before the end\n", atomic_load(&written));
	close(notes);
	close(fd);
}

/* A30 */
static void every_page_is_whole_and_no_durable_write_is_lost(void)
{
	struct notes notes;
	char path[4096];
	int fd, file = open(notes_path, O_RDONLY);

	MUST(file);
	snprintf(path, sizeof(path), "%s/%s", kernel_directory, NAME);
	fd = open(path, O_RDONLY);
	MUST(fd);
	for (uint32_t i = 0; i < WRITERS; i++) {
		CHECK_EQ(read(file, &notes, sizeof(notes)), sizeof(notes));
		for (uint32_t j = 0; j < PAGES; j++) {
			uint64_t first;
			uint32_t seed;

			CHECK_EQ(pread(fd, &first, 8, (off_t)place(i, j)), 8);
			seed = (uint32_t)(first - place(i, j) / 8 * UINT64_C(0x9E3779B97F4A7C15));
			if (seed < notes.durable[j] || seed > notes.tried[j])
				printf("# writer %u page %u: found %u, durable %u, tried %u\n", i,
				       j, seed, notes.durable[j], notes.tried[j]);
			CHECK(seed >= notes.durable[j] && seed <= notes.tried[j]);
			CHECK(kernel_holds(NAME, place(i, j), sizes[i], seed));
			CHECK(kernel_holds(NAME, place(i, j) + sizes[i], SLOT - sizes[i], 1));
		}
	}
	close(fd);
	close(file);
}

int main(int argc, char **argv)
{
	static const struct kernel_test writing[] = {TEST(the_filesystem_dies_under_the_writers)};
	static const struct kernel_test verifying[] = {
		TEST(every_page_is_whole_and_no_durable_write_is_lost)};

	if (argc != 4)
		return 2;
	stage = argv[2];
	notes_path = argv[3];
	return kernel_main(2, argv, strcmp(stage, "write") ? verifying : writing, 1);
}
