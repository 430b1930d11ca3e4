/* SPDX-License-Identifier: MIT */
/*
 * Goal: when a call returns, its pages are in their files, and every reader sees them: another
 * descriptor, buffered or direct, another process, and a mapping of either (man 7 atomicio).
 *
 * Method: all readers have the old pages in their mappings before each call, and look right after
 * it; the homes are buffered or direct, and the calls single pages, groups, groups longer than a
 * frame, and pages left behind that were waited for.
 */
#define _GNU_SOURCE
#include "journal_test.h"

#include <sys/mman.h>

#define NAME "seen"
#define LOG "seen-journal"
#define FILE_SIZE (512 * KIB)
#define PITCH (64 * KIB)
#define PAGES 8u
#define ROUNDS 60u

/* The state of one reader. */
struct reader {
	int cached, direct; /* -1: the filesystem takes no O_DIRECT */
	const uint8_t *mapping;
};

static uint32_t length;
static uint64_t shift; /* of each page from its pitch */

static int open_again(int flags)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", kernel_directory, NAME);
	return open(path, flags | O_CLOEXEC);
}

static struct reader reader_open(void)
{
	struct reader reader = {.cached = open_again(O_RDONLY),
				.direct = open_again(O_RDONLY | O_DIRECT)};
	void *mapping = mmap(NULL, FILE_SIZE, PROT_READ, MAP_SHARED, reader.cached, 0);

	MUST(reader.cached);
	CHECK(mapping != MAP_FAILED);
	reader.mapping = mapping;
	return reader;
}

static void reader_close(const struct reader *reader)
{
	munmap((void *)(uintptr_t)reader->mapping, FILE_SIZE);
	close(reader->cached);
	if (reader->direct >= 0)
		close(reader->direct);
}

/* The expected pages, ready before the call: the look is immediate. */
static uint8_t pages[PAGES][PITCH] __attribute__((aligned(4096)));

static void fill_pages(uint32_t seed)
{
	for (uint32_t i = 0; i < PAGES; i++)
		kernel_fill(pages[i], length, i * PITCH + shift, seed);
}

/* The number of looks of this reader at a wrong page; the last written page comes first. */
static int reader_misses(const struct reader *reader)
{
	static uint8_t found[PITCH] __attribute__((aligned(4096)));
	const uint64_t first = shift % 4096;
	int missed = 0;

	for (uint32_t i = PAGES; i-- > 0;) {
		const uint64_t offset = i * PITCH + shift;
		const off_t start = (off_t)(offset - first);

		missed += memcmp(reader->mapping + offset, pages[i], length) != 0;
		missed += pread(reader->cached, found, length, (off_t)offset) != (ssize_t)length ||
			  memcmp(found, pages[i], length) != 0;
		if (reader->direct >= 0)
			missed += pread(reader->direct, found, 32 * KIB, start) != 32 * KIB ||
				  memcmp(found + first, pages[i], length) != 0;
	}
	return missed;
}

/* Another process: receives a seed, and answers with the missing pages. */
static int questions[2], answers[2];

static pid_t start_other_process(void)
{
	pid_t child;

	MUST(pipe(questions));
	MUST(pipe(answers));
	child = fork();
	MUST(child);
	if (child == 0) {
		const struct reader reader = reader_open();
		uint32_t seed;

		close(questions[1]);
		while (read(questions[0], &seed, sizeof(seed)) == sizeof(seed)) {
			int missed;

			fill_pages(seed);
			missed = reader_misses(&reader);
			if (write(answers[1], &missed, sizeof(missed)) != sizeof(missed))
				break;
		}
		_exit(0);
	}
	close(questions[0]);
	close(answers[1]);
	return child;
}

static void end_other_process(pid_t child)
{
	close(questions[1]);
	close(answers[0]);
	MUST(waitpid(child, NULL, 0));
}

static int other_process_misses(uint32_t seed)
{
	int missed = -1;

	CHECK_EQ(write(questions[1], &seed, sizeof(seed)), sizeof(seed));
	CHECK_EQ(read(answers[0], &missed, sizeof(missed)), sizeof(missed));
	return missed;
}

/* Write all pages, in the way of this round. */
static void write_all(struct atomicio_file *file, uint32_t round)
{
	struct atomicio_op ops[PAGES];
	const uint32_t way = round % 4;

	for (uint32_t i = 0; i < PAGES; i++) {
		ops[i] = (struct atomicio_op){.file = file,
					      .buffer = pages[i],
					      .length = length,
					      .offset = i * PITCH + shift};
		if (way < 2)
			CHECK_EQ(atomicio_write(file, pages[i], length, ops[i].offset,
						way == 1 ? ATOMICIO_BEHIND : 0),
				 0);
	}
	if (way == 1)
		CHECK_EQ(atomicio_settle(file, 0, 0), 0);
	if (way == 2) /* longer than a frame */
		CHECK_EQ(atomicio_write_batch(NULL, ops, PAGES, ATOMICIO_ALL_OR_NONE), 0);
	if (way == 3)
		for (uint32_t i = 0; i < PAGES; i += 2)
			CHECK_EQ(atomicio_write_batch(NULL, ops + i, 2, ATOMICIO_ALL_OR_NONE), 0);
}

static void seen(int flags, uint32_t page, uint64_t from)
{
	const struct atomicio_journal_options options = {.size = 2 * MIB, .frame_max = 64 * KIB};
	const int fd = kernel_file(NAME, FILE_SIZE, flags), log = kernel_file(LOG, 0, O_RDWR);
	struct atomicio_journal *journal;
	struct atomicio_file *file;
	struct reader reader;
	pid_t child;

	length = page;
	shift = from;
	CHECK_EQ(atomicio_journal_create(log, &options, sizeof(options)), 0);
	child = start_other_process();
	journal = journal_start(log);
	reader = reader_open();
	file = journal_attached(journal, fd, 1, ATOMICIO_PATH_JOURNAL);
	for (uint32_t round = 0; round < ROUNDS; round++) {
		const uint32_t seed = round + 2;

		fill_pages(seed);
		write_all(file, round);
		CHECK_EQ(reader_misses(&reader), 0);
		CHECK_EQ(other_process_misses(seed), 0);
		fill_pages(seed - 1);
		CHECK_EQ(reader_misses(&reader), PAGES * (reader.direct >= 0 ? 3 : 2));
	}
	CHECK_EQ(atomicio_close(file), 0);
	CHECK_EQ(atomicio_journal_close(journal), 0);
	end_other_process(child);
	reader_close(&reader);
	close(fd);
	close(log);
}

static void pages_of_a_buffered_file_are_seen_when_the_call_returns(void)
{
	seen(O_RDWR, 16 * KIB, 0);
	seen(O_RDWR, 10001, 777);
}

static void pages_of_a_direct_file_are_seen_when_the_call_returns(void)
{
	seen(O_RDWR | O_DIRECT, 16 * KIB, 0);
	seen(O_RDWR | O_DIRECT, 4 * KIB, 4 * KIB);
}

int main(int argc, char **argv)
{
	static const struct kernel_test tests[] = {
		TEST(pages_of_a_buffered_file_are_seen_when_the_call_returns),
		TEST(pages_of_a_direct_file_are_seen_when_the_call_returns),
	};

	return kernel_main(argc, argv, tests, sizeof(tests) / sizeof(*tests));
}
