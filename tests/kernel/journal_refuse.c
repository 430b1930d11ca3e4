/* SPDX-License-Identifier: MIT */
/*
 * Goal: a journal that cannot be used is refused with its own errno, and nothing is changed; one
 * damaged header is no reason to.
 *
 * Method: damage the bytes of a real journal, run out of space for real, lock it from a second
 * process.
 */
#include "journal_test.h"

#include <signal.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#define NAME "journal"
#define SIZE (256 * KIB)
#define BLOCK (4 * KIB)
#define PAGE (16 * KIB)

/* Make a journal whose two headers have both been written; its bytes go to `copy`. */
static int fixture(uint8_t *copy)
{
	const int fd = journal_fresh(NAME, SIZE), home = kernel_file("home", 64 * KIB, O_RDWR);
	struct atomicio_journal *journal = journal_start(fd);
	struct atomicio_file *file = journal_attached(journal, home, 1, ATOMICIO_PATH_JOURNAL);

	CHECK_EQ(kernel_write(file, 5, 16 * KIB, 0, 0), 0);
	CHECK_EQ(atomicio_close(file), 0); /* a checkpoint: the second header */
	atomicio_journal_close(journal);
	close(home);
	CHECK_EQ(pread(fd, copy, SIZE, 0), SIZE);
	CHECK(!memcmp(copy, copy + BLOCK, 16));
	return fd;
}

/* The journal is refused with this error, and not a byte changes. */
static void refused(int fd, int error)
{
	static uint8_t before[SIZE], after[SIZE];
	struct atomicio_journal *journal = NULL;
	const ssize_t size = pread(fd, before, SIZE, 0);

	CHECK_EQ(atomicio_journal_open(fd, NULL, 0, &journal), error);
	CHECK(!journal);
	CHECK_EQ(pread(fd, after, SIZE, 0), size);
	CHECK(!memcmp(before, after, SIZE));
}

static uint32_t crc32c(const uint8_t *bytes, size_t length)
{
	uint32_t crc = ~0u;

	for (size_t i = 0; i < length; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
	}
	return ~crc;
}

static void another_version_is_refused(void)
{
	static uint8_t bytes[SIZE];
	const int fd = fixture(bytes);

	for (size_t i = 0; i < 2; i++) {
		uint8_t *header = bytes + i * BLOCK;
		uint32_t crc;

		header[16] = 3;
		crc = crc32c(header, BLOCK - 4);
		memcpy(header + BLOCK - 4, &crc, 4); /* little-endian machines only */
		journal_put(fd, header, BLOCK, i * BLOCK);
		refused(fd, -EPROTONOSUPPORT);
	}
	close(fd);
}

static void one_damaged_header_is_no_loss_and_two_are(void)
{
	static uint8_t bytes[SIZE], noise[BLOCK];
	struct journal_files files = {.fds = {0}};
	const int fd = fixture(bytes);

	memset(noise, 0x5A, sizeof(noise));
	files.fds[0] = kernel_file("home", 64 * KIB, O_RDWR);
	for (size_t i = 0; i < 2; i++) {
		/* Torn: the magic is new, the end is not. */
		journal_put(fd, noise, BLOCK / 2, i * BLOCK + BLOCK / 2);
		journal_replay(fd, &files);
		journal_put(fd, bytes, 2 * BLOCK, 0);
	}
	journal_put(fd, noise, BLOCK / 2, BLOCK / 2);
	journal_put(fd, noise, BLOCK / 2, BLOCK + BLOCK / 2);
	refused(fd, -EBADMSG);
	/* No trace of a header is no journal. */
	journal_put(fd, noise, BLOCK, 0);
	journal_put(fd, noise, BLOCK, BLOCK);
	refused(fd, -ENODATA);
	close(files.fds[0]);
	close(fd);
}

static void headers_of_two_journals_are_refused(void)
{
	static uint8_t one[SIZE], two[SIZE];
	int fd = fixture(one);

	close(fd);
	fd = fixture(two);
	journal_put(fd, one, BLOCK, 0);
	refused(fd, -EBADMSG);
	close(fd);
}

static void a_truncated_journal_is_refused(void)
{
	static uint8_t bytes[SIZE];
	const int fd = fixture(bytes);

	MUST(ftruncate(fd, SIZE - BLOCK));
	refused(fd, -ERANGE);
	MUST(ftruncate(fd, 100));
	refused(fd, -ENODATA);
	MUST(ftruncate(fd, 0));
	refused(fd, -ENODATA);
	close(fd);
}

static void a_second_opener_is_refused(void)
{
	static uint8_t bytes[SIZE];
	const int fd = fixture(bytes);
	const struct atomicio_journal_options options = {.size = SIZE,
							 .flags = ATOMICIO_JOURNAL_OVERWRITE};
	struct atomicio_journal *journal = journal_start(fd);
	char path[4096];
	pid_t child;
	int status;

	snprintf(path, sizeof(path), "%s/%s", kernel_directory, NAME);
	child = fork();
	MUST(child);
	if (child == 0) {
		struct atomicio_journal *second = NULL;
		const int own = open(path, O_RDWR);
		const int opened = atomicio_journal_open(own, NULL, 0, &second);
		const int made = atomicio_journal_create(own, &options, sizeof(options));

		_exit(opened == -EBUSY && made == -EBUSY && !second ? 0 : 1);
	}
	MUST(waitpid(child, &status, 0));
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	/* In the same process too. */
	refused(fd, -EBUSY);
	atomicio_journal_close(journal);
	atomicio_journal_close(journal_start(fd));
	close(fd);
}

static void a_read_only_descriptor_is_refused(void)
{
	static uint8_t bytes[SIZE];
	const int fd = fixture(bytes);
	char path[4096];
	int other;

	snprintf(path, sizeof(path), "%s/%s", kernel_directory, NAME);
	other = open(path, O_RDONLY);
	MUST(other);
	refused(other, -EBADF);
	CHECK_EQ(atomicio_journal_create(other, NULL, 0), -EBADF);
	close(other);
	other = open(path, O_WRONLY);
	MUST(other);
	CHECK_EQ(atomicio_journal_create(other, NULL, 0), -EBADF);
	close(other);
	close(fd);
}

static void a_full_disk_leaves_the_file_empty(void)
{
	const int fd = kernel_file(NAME, 0, O_RDWR);
	const struct atomicio_journal_options small = {.size = SIZE};
	struct atomicio_journal_options options = {.frame_max = 0};
	struct statvfs space;

	MUST(fstatvfs(fd, &space));
	options.size = ((uint64_t)space.f_bfree * space.f_frsize + 16 * MIB) / MIB * MIB;
	CHECK_EQ(atomicio_journal_create(fd, &options, sizeof(options)), -ENOSPC);
	CHECK_EQ(kernel_size(NAME), 0);
	refused(fd, -ENODATA);
	/* The space is free again. */
	CHECK_EQ(atomicio_journal_create(fd, &small, sizeof(small)), 0);
	close(fd);
}

static void an_id_names_one_file_and_a_file_has_one_id(void)
{
	static uint8_t bytes[SIZE];
	const int fd = fixture(bytes), one = kernel_file("one", 64 * KIB, O_RDWR),
		  two = kernel_file("two", 64 * KIB, O_RDWR);
	struct atomicio_journal *journal = journal_start(fd);
	struct atomicio_options options = {.journal = journal, .file_id = 1};
	struct atomicio_file *file = kernel_open(one, &options), *other = NULL;

	CHECK_EQ(atomicio_open(two, &options, sizeof(options), &other), -EEXIST);
	options.file_id = 2;
	CHECK_EQ(atomicio_open(one, &options, sizeof(options), &other), -EEXIST);
	CHECK(!other);
	other = kernel_open(two, &options);
	CHECK_EQ(atomicio_close(file), 0);
	options.file_id = 1;
	file = kernel_open(one, &options);
	CHECK_EQ(atomicio_close(file), 0);
	CHECK_EQ(atomicio_close(other), 0);
	atomicio_journal_close(journal);
	close(one);
	close(two);
	close(fd);
}

/* Overlay moves such a write to the end and reports success (6.18): no write may get this far. */
static void with_append_a_write_stays_in_place_or_is_refused(void)
{
	struct journal_files files = {.fds = {kernel_file("one", 2 * PAGE, O_RDWR | O_APPEND)}};
	const int fd = journal_fresh(NAME, MIB), refused = journal_append() ? 0 : -EOPNOTSUPP;
	struct atomicio_journal *journal = journal_start(fd);
	const struct atomicio_options options = {.journal = journal, .file_id = 1},
				      plain = {.fallback = ATOMICIO_FALLBACK_PLAIN};
	struct atomicio_file *file = NULL;

	CHECK_EQ(atomicio_open(files.fds[0], &options, sizeof(options), &file), refused);
	if (!refused)
		CHECK_EQ(kernel_write(file, 3, PAGE, 0, 0), 0);
	CHECK_EQ(atomicio_close(file), 0);
	atomicio_journal_close(journal);
	file = kernel_open(files.fds[0], &plain);
	CHECK_EQ(kernel_write(file, 4, PAGE, PAGE, 0), refused);
	CHECK_EQ(atomicio_close(file), 0);
	CHECK_EQ(kernel_size("one"), 2 * PAGE);
	CHECK(kernel_holds("one", 0, PAGE, refused ? 1 : 3));
	CHECK(kernel_holds("one", PAGE, PAGE, refused ? 1 : 4));
	close(files.fds[0]);
	close(fd);
}

int main(int argc, char **argv)
{
	static const struct kernel_test tests[] = {
		TEST(another_version_is_refused),
		TEST(one_damaged_header_is_no_loss_and_two_are),
		TEST(headers_of_two_journals_are_refused),
		TEST(a_truncated_journal_is_refused),
		TEST(a_second_opener_is_refused),
		TEST(a_read_only_descriptor_is_refused),
		TEST(a_full_disk_leaves_the_file_empty),
		TEST(an_id_names_one_file_and_a_file_has_one_id),
		TEST(with_append_a_write_stays_in_place_or_is_refused),
	};

	return kernel_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
