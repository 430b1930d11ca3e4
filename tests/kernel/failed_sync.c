/* SPDX-License-Identifier: MIT */
/*
 * Goal: the steps of man 7 atomicio, "After a failed sync", bring every acknowledged page back: the
 * pages of the journal by recovery, all other pages from the log.
 *
 * Method: failed_sync.sh has a disk that refuses some of the pages in write-back.  The program is
 * an engine with a log of its own; a sync fails, and the program follows the manual step by step.
 *
 *	failed_sync steps			the steps, in the words of the manual
 *	failed_sync make HOME JOURNAL LOG	lay all three out
 *	failed_sync run HOME JOURNAL LOG [N]	write, fail, wait for a line, and do the steps but N
 *	failed_sync verify HOME JOURNAL LOG	is every acknowledged page there?
 */
#define _GNU_SOURCE
#include "kernel_test.h"

#include <stdbool.h>

#include "libatomicio/journal.h"

#define PAGE (16 * KIB)
#define STRIDE (4 * PAGE)
#define SLOTS 48u
/* The writer of a slot: the journal, or an ordinary write after its record in the log. */
#define LOGGED_FIRST 16u
#define LOGGED_END 40u
/* The disk takes no page with this text. */
#define REFUSED_TEXT "refused-by-the-disk. "

static const char *const steps[] = {
	"Write no more to the file.",
	"Close the handles of all files of the journal, and then the journal.",
	"Close the descriptors and open the files again.",
	"Open the journal, recover it, and open the handles.",
	"Replay the log from the last checkpoint over the pages in doubt.",
};

static unsigned char page[PAGE] __attribute__((aligned(4096)));
static const char *home_path, *journal_path;
static int home = -1, journal_fd = -1, log_fd;
static struct atomicio_journal *journal;
static struct atomicio_file *framed, *logged;

static bool is_logged(uint32_t slot)
{
	return slot >= LOGGED_FIRST && slot < LOGGED_END;
}

/* Every second slot of its writer's later half: the write-back of these pages fails. */
static bool is_refused(uint32_t slot)
{
	return slot % 2 && (slot < 8 || slot >= 32);
}

static void fill(uint32_t slot, uint32_t version)
{
	const char *text = version == 2 && is_refused(slot) ? REFUSED_TEXT : "an ordinary page. . ";
	const size_t length = strlen(text);

	for (uint32_t at = 0; at < PAGE; at++)
		page[at] = (unsigned char)text[at % length];
	/* Over the text at the end, because the disk looks for it from the beginning. */
	for (uint32_t at = PAGE / 2; at < PAGE; at++)
		page[at] = (unsigned char)(slot * 3 + version);
}

static void make(void)
{
	for (uint32_t slot = 0; slot < SLOTS; slot++) {
		fill(slot, 0);
		CHECK_EQ(pwrite(home, page, PAGE, (off_t)slot * STRIDE), PAGE);
	}
	MUST(fsync(home));
	CHECK_EQ(atomicio_journal_create(journal_fd, NULL, 0), 0);
	MUST(ftruncate(log_fd, 0));
}

static int resolve(void *context, uint64_t file_id)
{
	(void)context;
	return file_id == 1 ? home : -ENOENT;
}

static int open_files(void)
{
	home = open(home_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	journal_fd = open(journal_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return home < 0 || journal_fd < 0 ? -errno : 0;
}

static int open_handles(void)
{
	struct atomicio_options options = {
		.journal = journal, .file_id = 1, .path = ATOMICIO_PATH_JOURNAL};
	int error = atomicio_open(home, &options, sizeof(options), &framed);

	options.path = ATOMICIO_PATH_KERNEL;
	options.fallback = ATOMICIO_FALLBACK_PLAIN;
	return error ? error : atomicio_open(home, &options, sizeof(options), &logged);
}

static int put(uint32_t slot, uint32_t version)
{
	fill(slot, version);
	return atomicio_write(is_logged(slot) ? logged : framed, page, PAGE,
			      (uint64_t)slot * STRIDE, 0);
}

/* The record is durable before the page is written: all that was logged is acknowledged. */
static void put_logged(uint32_t slot, uint32_t version)
{
	const uint32_t record[2] = {slot, version};

	CHECK_EQ(write(log_fd, record, sizeof(record)), sizeof(record));
	MUST(fdatasync(log_fd));
	CHECK_EQ(put(slot, version), 0);
}

/* Up to the sync that fails: the journal's pages are acknowledged one by one. */
static void write_and_fail(void)
{
	int error;

	CHECK_EQ(atomicio_journal_open(journal_fd, NULL, 0, &journal), 0);
	CHECK_EQ(open_handles(), 0);
	for (uint32_t slot = 0; slot < SLOTS; slot++) {
		if (is_logged(slot))
			put_logged(slot, 1);
		else
			CHECK_EQ(put(slot, 1), 0);
	}
	CHECK_EQ(atomicio_sync(logged), 0);
	MUST(ftruncate(log_fd, 0)); /* the checkpoint */
	MUST(lseek(log_fd, 0, SEEK_SET));
	for (uint32_t slot = 0; slot < SLOTS; slot++) {
		if (is_logged(slot) && slot >= 24)
			put_logged(slot, 2);
		else if (!is_logged(slot))
			CHECK_EQ(put(slot, 2), 0);
	}
	error = atomicio_sync(logged);
	printf("# the sync gives %s\n", strerror(-error));
	CHECK_EQ(error, -EIO);
	puts("failed");
	fflush(stdout);
	CHECK(getchar() == '\n');
}

static uint32_t refusals; /* "Expect ENOTRECOVERABLE and ignore it" */

static int expect_closed(int error)
{
	refusals += error == -ENOTRECOVERABLE;
	return error == -ENOTRECOVERABLE ? 0 : error;
}

static int write_no_more(void)
{
	/* Such a write is refused. */
	if (put(LOGGED_FIRST, 3) != -ENOTRECOVERABLE || put(0, 3) != -ENOTRECOVERABLE)
		return -EINVAL;
	return 0;
}

static int close_handles(void)
{
	int error = expect_closed(atomicio_close(framed));

	if (!error)
		error = expect_closed(atomicio_close(logged));
	framed = logged = NULL;
	return error ? error : expect_closed(atomicio_journal_close(journal));
}

static int reopen(void)
{
	int error;

	/* The old descriptor has still to report the loss, which is known by now. */
	CHECK_EQ(fsync(home), -1);
	CHECK_EQ(errno, EIO);
	close(home);
	close(journal_fd);
	error = open_files();
	return error || fsync(home) == 0 ? error : -errno;
}

static int recover(void)
{
	struct atomicio_recovery done = {.pages = 0};
	int error = atomicio_journal_open(journal_fd, NULL, 0, &journal);

	if (!error)
		error = atomicio_journal_recover(journal, resolve, NULL, NULL, 0, &done,
						 sizeof(done));
	printf("# %llu pages recovered\n", (unsigned long long)done.pages);
	return error ? error : open_handles();
}

static int replay(void)
{
	const struct atomicio_options plain = {.fallback = ATOMICIO_FALLBACK_PLAIN};
	uint32_t record[2], count = 0;
	int error = 0;

	if (!logged) /* step 4 was left out: an engine that forgot its journal */
		error = atomicio_open(home, &plain, sizeof(plain), &logged);
	for (off_t at = 0; pread(log_fd, record, sizeof(record), at) == sizeof(record) && !error;
	     at += (off_t)sizeof(record), count++)
		error = put(record[0], record[1]);
	printf("# %u pages replayed\n", count);
	return error ? error : atomicio_sync(logged);
}

static void run(unsigned int left_out)
{
	static int (*const all[])(void) = {write_no_more, close_handles, reopen, recover, replay};

	write_and_fail();
	for (unsigned int i = 0; i < 5; i++) {
		const int error = i + 1 == left_out ? 0 : all[i]();

		if (error)
			printf("# step %u gives %s\n", i + 1, strerror(-error));
		CHECK(!error || left_out);
	}
	CHECK(refusals || left_out == 2);
	if (left_out)
		_exit(0); /* no help for pages that are only in the kernel's cache */
	CHECK_EQ(close_handles(), 0);
}

static void verify(void)
{
	static unsigned char found[PAGE];
	uint32_t framed_lost = 0, logged_lost = 0;

	for (uint32_t slot = 0; slot < SLOTS; slot++) {
		fill(slot, slot >= LOGGED_FIRST && slot < 24 ? 1 : 2);
		CHECK_EQ(pread(home, found, PAGE, (off_t)slot * STRIDE), PAGE);
		if (memcmp(found, page, PAGE) == 0)
			continue;
		framed_lost += !is_logged(slot);
		logged_lost += is_logged(slot);
	}
	printf("# lost: %u pages of the journal, %u of the log\n", framed_lost, logged_lost);
	CHECK_EQ(framed_lost + logged_lost, 0);
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "steps")) {
		for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
			puts(steps[i]);
		return 0;
	}
	if (argc < 5 || setjmp(kernel_failed))
		return 1;
	home_path = argv[2];
	journal_path = argv[3];
	log_fd = open(argv[4], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	MUST(log_fd);
	CHECK_EQ(open_files(), 0);
	if (!strcmp(argv[1], "make"))
		make();
	else if (!strcmp(argv[1], "run"))
		run(argc > 5 ? (unsigned int)atoi(argv[5]) : 0);
	else
		verify();
	return 0;
}
