/* SPDX-License-Identifier: MIT */
/*
 * Goal: no home write of a killed process lands after the journal's lock is free: the successor
 * recovers and writes at once, and its pages stay.  A page that was acknowledged with
 * ATOMICIO_BEHIND, and never came home, is recovered.  Other processes see a page when its call
 * returns, except a page left behind.
 *
 * Method: killed.sh makes the disk of the home file slow, kills the writer, and starts the
 * successor in the same moment.  With "ring" the writer sends the same pages through an io_uring,
 * and shows the hazard: old pages land later (else the disk was not slow enough).
 *
 *	killed make HOME JOURNAL	lay both out
 *	killed write HOME JOURNAL	one group through the journal
 *	killed behind HOME JOURNAL	the group with ATOMICIO_BEHIND; says when it is acknowledged
 *	killed ring HOME JOURNAL	its pages alone, through a ring, with the journal's lock
 *	killed succeed HOME JOURNAL	recover, and write a group; says how long the lock was held
 *	killed take HOME JOURNAL	the same for a ring: take the lock, and write by call
 *	killed recover HOME JOURNAL	recover, and write nothing
 *	killed seen HOME JOURNAL	a group is seen in a mapping when its call returns, and one
 *					with ATOMICIO_BEHIND when it was waited for, not before
 *	killed verify HOME JOURNAL	the disk has the successor's pages
 *	killed verify-dead HOME JOURNAL	the disk has the killed writer's pages
 */
#define _GNU_SOURCE
#include "kernel_test.h"

#include <liburing.h>
#include <stdbool.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <time.h>

#include "libatomicio/journal.h"

#define PAGES 48u
#define PAGE (16 * KIB)
#define STRIDE (3 * PAGE)
#define LOCK_SECONDS 60

/* The disk is slow for pages with this text. */
#define DEAD_TEXT "a-page-of-the-dead. "
#define LIVE_TEXT "a page of the quick."

static unsigned char pages[PAGES][PAGE] __attribute__((aligned(4096)));
static const char *home_path;
static int home, log_fd;

static void fill(const char *text)
{
	for (uint32_t i = 0; i < PAGES; i++)
		for (uint32_t at = 0; at < PAGE; at++)
			pages[i][at] = (unsigned char)text[at % strlen(text)];
}

static int resolve(void *context, uint64_t file_id)
{
	(void)context;
	return file_id == 1 ? home : -ENOENT;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static struct atomicio_file *send_group(struct atomicio_journal *journal, uint32_t flags)
{
	const struct atomicio_options options = {
		.journal = journal, .file_id = 1, .path = ATOMICIO_PATH_JOURNAL};
	struct atomicio_file *file = kernel_open(home, &options);
	struct atomicio_op ops[PAGES];

	for (uint32_t i = 0; i < PAGES; i++)
		ops[i] = (struct atomicio_op){.file = file,
					      .buffer = pages[i],
					      .length = PAGE,
					      .offset = (uint64_t)i * STRIDE};
	puts("writing");
	fflush(stdout);
	CHECK_EQ(atomicio_write_batch(NULL, ops, PAGES, ATOMICIO_ALL_OR_NONE | flags), 0);
	return file;
}

static int write_group(struct atomicio_journal *journal)
{
	return atomicio_close(send_group(journal, 0));
}

static void make(void)
{
	fill("a page of the past. ");
	MUST(ftruncate(home, 0));
	for (uint32_t i = 0; i < PAGES * 3; i++)
		CHECK_EQ(pwrite(home, pages[0], PAGE, (off_t)i * PAGE), PAGE);
	MUST(fsync(home));
	CHECK_EQ(atomicio_journal_create(log_fd, NULL, 0), 0);
}

static void write_and_be_killed(void)
{
	struct atomicio_journal *journal = NULL;

	CHECK_EQ(atomicio_journal_open(log_fd, NULL, 0, &journal), 0);
	fill(DEAD_TEXT);
	CHECK_EQ(write_group(journal), 0);
	puts("not killed in time");
}

static void leave_behind_and_be_killed(void)
{
	struct atomicio_journal *journal = NULL;

	CHECK_EQ(atomicio_journal_open(log_fd, NULL, 0, &journal), 0);
	fill(DEAD_TEXT);
	send_group(journal, ATOMICIO_BEHIND);
	puts("acknowledged");
	fflush(stdout);
	sleep(LOCK_SECONDS);
	puts("not killed in time");
}

static bool is_mapped(const unsigned char *mapping)
{
	for (uint32_t i = PAGES; i-- > 0;)
		if (memcmp(mapping + (size_t)i * STRIDE, pages[i], PAGE) != 0)
			return false;
	return true;
}

static void see(void)
{
	const int other = open(home_path, O_RDONLY | O_CLOEXEC);
	const unsigned char *mapping = mmap(NULL, PAGES * STRIDE, PROT_READ, MAP_SHARED, other, 0);
	struct atomicio_journal *journal = NULL;
	struct atomicio_file *file;
	bool seen[3];

	CHECK(other >= 0 && mapping != MAP_FAILED);
	CHECK_EQ(atomicio_journal_open(log_fd, NULL, 0, &journal), 0);
	CHECK(!is_mapped(mapping)); /* and the old pages are cached */
	fill(DEAD_TEXT);
	file = send_group(journal, 0);
	seen[0] = is_mapped(mapping);
	for (uint32_t i = 0; i < PAGES; i++)
		pages[i][PAGE - 1] = 'x';
	CHECK_EQ(atomicio_close(file), 0);
	file = send_group(journal, ATOMICIO_BEHIND);
	seen[1] = is_mapped(mapping);
	CHECK_EQ(atomicio_settle(file, 0, 0), 0);
	seen[2] = is_mapped(mapping);
	CHECK_EQ(atomicio_close(file), 0);
	CHECK_EQ(atomicio_journal_close(journal), 0);
	CHECK(seen[0]);
	CHECK(!seen[1]); /* the disk is slow enough to show it */
	CHECK(seen[2]);
}

static void ring_and_be_killed(void)
{
	struct io_uring ring;

	MUST(flock(log_fd, LOCK_EX | LOCK_NB));
	fill(DEAD_TEXT);
	CHECK_EQ(io_uring_queue_init(PAGES, &ring, 0), 0);
	for (uint32_t i = 0; i < PAGES; i++)
		io_uring_prep_write(io_uring_get_sqe(&ring), home, pages[i], PAGE,
				    (uint64_t)i * STRIDE);
	puts("writing");
	fflush(stdout);
	CHECK_EQ(io_uring_submit_and_wait(&ring, PAGES), (int)PAGES);
	puts("not killed in time");
}

static struct atomicio_journal *open_and_recover(void)
{
	const double start = now();
	struct atomicio_recovery done = {.frames = 0};
	struct atomicio_journal *journal = NULL;
	int error;

	while ((error = atomicio_journal_open(log_fd, NULL, 0, &journal)) == -EBUSY &&
	       now() < start + LOCK_SECONDS)
		usleep(1000);
	CHECK_EQ(error, 0);
	printf("# the lock was free after %.2f s\n", now() - start);
	CHECK_EQ(atomicio_journal_recover(journal, resolve, NULL, NULL, 0, &done, sizeof(done)), 0);
	CHECK_EQ(done.pages, PAGES);
	return journal;
}

static void recover(void)
{
	CHECK_EQ(atomicio_journal_close(open_and_recover()), 0);
}

static void succeed(void)
{
	struct atomicio_journal *journal = open_and_recover();

	fill(LIVE_TEXT);
	CHECK_EQ(write_group(journal), 0);
	CHECK_EQ(atomicio_journal_close(journal), 0);
}

static void take(void)
{
	const double start = now();

	while (flock(log_fd, LOCK_EX | LOCK_NB) && now() < start + LOCK_SECONDS)
		usleep(1000);
	printf("# the lock was free after %.2f s\n", now() - start);
	fill(LIVE_TEXT);
	for (uint32_t i = 0; i < PAGES; i++)
		CHECK_EQ(pwrite(home, pages[i], PAGE, (off_t)i * STRIDE), PAGE);
	MUST(fdatasync(home));
}

static void verify_text(const char *text)
{
	static unsigned char found[PAGE] __attribute__((aligned(4096)));
	uint32_t others = 0;

	fill(text);
	for (uint32_t i = 0; i < PAGES; i++) {
		CHECK_EQ(pread(home, found, PAGE, (off_t)i * STRIDE), PAGE);
		others += memcmp(found, pages[i], PAGE) != 0;
	}
	printf("# %u of %u pages are not what they have to be\n", others, PAGES);
	CHECK_EQ(others, 0);
}

static void verify(void)
{
	verify_text(LIVE_TEXT);
}

static void verify_dead(void)
{
	verify_text(DEAD_TEXT);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} modes[] = {
		{"make", make},
		{"write", write_and_be_killed},
		{"behind", leave_behind_and_be_killed},
		{"ring", ring_and_be_killed},
		{"succeed", succeed},
		{"take", take},
		{"recover", recover},
		{"seen", see},
		{"verify", verify},
		{"verify-dead", verify_dead},
	};

	if (argc != 4)
		return 2;
	home_path = argv[2];
	home = open(home_path, O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);
	log_fd = open(argv[3], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (home < 0 || log_fd < 0 || setjmp(kernel_failed))
		return 1;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (!strcmp(argv[1], modes[i].name)) {
			modes[i].run();
			return 0;
		}
	return 2;
}
