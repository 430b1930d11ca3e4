/* SPDX-License-Identifier: MIT */
/*
 * Goal: a journal is made only of a file that may be overwritten, and only of sizes that work.  An
 * interrupted create leaves nothing that looks like a journal.
 * Method: files that are empty, full of zeroes, or of somebody's bytes; a killed create.
 */
#include "journal_test.h"

#include <signal.h>
#include <sys/wait.h>

#define NAME "journal"
#define SIZE (256 * KIB)
#define BLOCK (4 * KIB)

static void a_journal_smaller_than_its_frames_is_not_made(void)
{
	static const struct atomicio_journal_options wrong[] = {
		{.size = 4096},
		{.size = 8192 + 4096},
		{.size = 16384 + 8192},
		{.size = (UINT64_C(1) << 40) + 1},
		{.size = UINT64_MAX},
		{.size = MIB, .frame_max = 4096},
		{.size = MIB, .frame_max = MIB / 2},
		{.size = MIB, .frame_max = UINT32_MAX},
		{.size = 256 * MIB, .frame_max = 65 * MIB},
		{.size = MIB, .flags = 2},
	};
	const struct atomicio_journal_options smallest = {.size = 16384 + 2 * 8192};
	const int fd = kernel_file(NAME, 0, O_RDWR);

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		CHECK_EQ(atomicio_journal_create(fd, &wrong[i], sizeof(wrong[i])), -EINVAL);
		CHECK_EQ(kernel_size(NAME), 0);
	}
	CHECK_EQ(atomicio_journal_create(fd, &smallest, sizeof(smallest)), 0);
	atomicio_journal_close(journal_start(fd));
	close(fd);
}

static void an_unaligned_size_or_frame_is_rounded_and_info_says_so(void)
{
	static const struct {
		struct atomicio_journal_options asked;
		uint64_t size;
		uint32_t frame_max;
	} rows[] = {
		{{.size = MIB + 1, .frame_max = 65536}, MIB + 4096, 65536},
		{{.size = MIB, .frame_max = 10000}, MIB, 12288},
		{{.size = MIB, .frame_max = 4097}, MIB, 8192},
		/* Half of the ring is no multiple, and what fits is not refused. */
		{{.size = MIB + 4096, .frame_max = 518000}, MIB + 4096, 516096},
		{{.size = 40 * MIB, .frame_max = 16 * MIB - 1}, 40 * MIB, 16 * MIB},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const int fd = kernel_file(NAME, 0, O_RDWR);
		struct atomicio_journal *journal;

		CHECK_EQ(atomicio_journal_create(fd, &rows[i].asked, sizeof(rows[i].asked)), 0);
		journal = journal_start(fd);
		CHECK_EQ(journal_look(journal).size, rows[i].size);
		CHECK_EQ(journal_look(journal).frame_max, rows[i].frame_max);
		CHECK_EQ(kernel_size(NAME), rows[i].size);
		atomicio_journal_close(journal);
		close(fd);
	}
}

static void what_is_in_a_file_is_not_overwritten_unasked(void)
{
	const struct atomicio_journal_options options = {.size = SIZE,
							 .flags = ATOMICIO_JOURNAL_OVERWRITE};
	const int fd = kernel_file(NAME, 100, O_RDWR);

	CHECK_EQ(atomicio_journal_create(fd, NULL, 0), -EEXIST);
	CHECK_EQ(kernel_size(NAME), 100);
	CHECK(kernel_holds(NAME, 0, 100, 1));
	CHECK_EQ(atomicio_journal_create(fd, &options, sizeof(options)), 0);
	atomicio_journal_close(journal_start(fd));
	close(fd);
}

static void zeroes_alone_count_as_empty(void)
{
	const struct atomicio_journal_options options = {.size = SIZE};
	const off_t sizes[] = {1, 100, BLOCK, SIZE - 1, SIZE};
	uint8_t one = 1;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		const int fd = kernel_file(NAME, 0, O_RDWR);

		MUST(ftruncate(fd, sizes[i]));
		journal_put(fd, &one, 1, (uint64_t)sizes[i] / 2);
		CHECK_EQ(atomicio_journal_create(fd, &options, sizeof(options)), -EEXIST);
		CHECK_EQ(kernel_size(NAME), (uint64_t)sizes[i]);
		CHECK_EQ(pread(fd, &one, 1, sizes[i] / 2), 1);
		CHECK_EQ(one, 1);
		journal_put(fd, (const uint8_t[]){0}, 1, (uint64_t)sizes[i] / 2);
		CHECK_EQ(atomicio_journal_create(fd, &options, sizeof(options)), 0);
		atomicio_journal_close(journal_start(fd));
		/* A journal without a frame is almost all zeroes. */
		CHECK_EQ(atomicio_journal_create(fd, &options, sizeof(options)), -EEXIST);
		MUST(ftruncate(fd, 0));
		MUST(ftruncate(fd, SIZE + 1));
		CHECK_EQ(atomicio_journal_create(fd, &options, sizeof(options)), -EEXIST);
		close(fd);
	}
}

static void a_torn_header_with_nothing_behind_it_counts_as_zeroes(void)
{
	const struct atomicio_journal_options options = {.size = SIZE};
	static const uint8_t zeroes[BLOCK], one[] = {1};
	const int fd = journal_fresh(NAME, SIZE);

	journal_put(fd, one, 1, SIZE - 1); /* a frame, or whatever */
	journal_put(fd, zeroes, BLOCK - 512, 512);
	journal_put(fd, zeroes, BLOCK,
		    BLOCK); /* the second header comes after the first is durable */
	CHECK_EQ(atomicio_journal_create(fd, &options, sizeof(options)), -EEXIST);
	journal_put(fd, zeroes, 1, SIZE - 1);
	CHECK_EQ(atomicio_journal_create(fd, &options, sizeof(options)), 0);
	atomicio_journal_close(journal_start(fd));
	journal_put(fd, one, 1, 0); /* no longer ours */
	CHECK_EQ(atomicio_journal_create(fd, &options, sizeof(options)), -EEXIST);
	close(fd);
}

static void a_create_that_is_killed_can_be_made_again(void)
{
	const struct atomicio_journal_options options = {.size = 8 * MIB};
	uint32_t halfway = 0;

	for (int round = 0; round < 200 && halfway < 5; round++) {
		const int fd = kernel_file(NAME, 0, O_RDWR);
		const pid_t child = fork();
		int error, status;

		MUST(child);
		if (child == 0)
			_exit(atomicio_journal_create(fd, &options, sizeof(options)) != 0);
		while (kernel_size(NAME) == 0)
			usleep(20);
		usleep((useconds_t)round * 50);
		MUST(kill(child, SIGKILL));
		MUST(waitpid(child, &status, 0));
		halfway += kernel_size(NAME) < 8 * MIB;
		error = atomicio_journal_create(fd, &options, sizeof(options));
		CHECK(error == 0 || (error == -EEXIST && kernel_size(NAME) == 8 * MIB));
		atomicio_journal_close(journal_start(fd));
		close(fd);
	}
	CHECK(halfway > 0);
}

int main(int argc, char **argv)
{
	static const struct kernel_test tests[] = {
		TEST(a_journal_smaller_than_its_frames_is_not_made),
		TEST(an_unaligned_size_or_frame_is_rounded_and_info_says_so),
		TEST(what_is_in_a_file_is_not_overwritten_unasked),
		TEST(zeroes_alone_count_as_empty),
		TEST(a_torn_header_with_nothing_behind_it_counts_as_zeroes),
		TEST(a_create_that_is_killed_can_be_made_again),
	};

	return kernel_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
