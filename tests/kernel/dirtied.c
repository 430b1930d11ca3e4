/* SPDX-License-Identifier: MIT */
/*
 * Goal: a page is dirtied through a mapping while a direct write of the page is on its way.  The
 * next sync of each description fails, although the disk is good, and the library treats the page
 * as lost.
 *
 * Method: during the write a thread dirties one byte of the page again and again, with the same
 * value, and hits a write on its way in a few tries.
 */
#include "kernel_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>

#define NAME "dirtied"
#define PAGE (16 * KIB)
#define TRIES 20000

static atomic_bool is_over;
static pthread_t mapper;
static uint8_t *map;

static void *dirty_it(void *context)
{
	volatile uint8_t *byte = context;

	while (!atomic_load(&is_over)) {
		const uint8_t same = *byte;

		*byte = same;
		usleep(100);
	}
	return NULL;
}

static void start_mapper(int fd)
{
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	atomic_store(&is_over, false);
	CHECK_EQ(pthread_create(&mapper, NULL, dirty_it, map), 0);
}

static void end_mapper(void)
{
	atomic_store(&is_over, true);
	pthread_join(mapper, NULL);
	munmap(map, PAGE);
}

static int open_again(int fd, int flags)
{
	char path[32];
	int other;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	other = open(path, flags | O_CLOEXEC);
	MUST(other);
	return other;
}

/* A65 */
static void a_page_dirtied_beside_a_direct_write_fails_the_sync(void)
{
	const int fd = kernel_file(NAME, PAGE, O_RDWR | O_DIRECT);
	const int other = open_again(fd, O_RDONLY), buffered = open_again(fd, O_RDWR);
	uint8_t *page = kernel_memory(PAGE);
	int error = 0, written = PAGE;

	kernel_fill(page, PAGE, 0, 1);
	start_mapper(buffered);
	for (int i = 0; i < TRIES && !error && written == PAGE; i++) {
		written = (int)pwrite(fd, page, PAGE, 0);
		error = fdatasync(other);
	}
	end_mapper();
	CHECK_EQ(written, PAGE);
	CHECK_EQ(error, -1);
	CHECK_EQ(fdatasync(fd), -1);
	CHECK_EQ(errno, EIO);
	CHECK_EQ(fdatasync(buffered), -1);
	CHECK_EQ(errno, EIO);
	/* The other call has received the error, and no report is left. */
	CHECK_EQ(fdatasync(other), 0);
	CHECK(kernel_holds(NAME, 0, PAGE, 1));
	close(buffered);
	close(other);
	close(fd);
}

/* A65 */
static void a_page_dirtied_beside_a_direct_write_poisons(void)
{
	const int fd = kernel_file(NAME, PAGE, O_RDWR | O_DIRECT);
	const struct atomicio_options options = {.fallback = ATOMICIO_FALLBACK_PLAIN};
	struct atomicio_file *file = kernel_open(fd, &options);
	const int buffered = open_again(fd, O_RDWR);
	int error = 0, written = 0;

	start_mapper(buffered);
	for (int i = 0; i < TRIES && !error && (!written || written == -EAGAIN); i++) {
		written = kernel_write(file, 1, PAGE, 0, 0);
		error = atomicio_sync(file);
	}
	end_mapper();
	CHECK_EQ(error, -EIO);
	CHECK_EQ(atomicio_sync(file), -ENOTRECOVERABLE);
	CHECK_EQ(kernel_write(file, 1, PAGE, 0, 0), -ENOTRECOVERABLE);
	atomicio_close(file);
	close(buffered);
	close(fd);
}

int main(int argc, char **argv)
{
	static const struct kernel_test tests[] = {
		TEST(a_page_dirtied_beside_a_direct_write_fails_the_sync),
		TEST(a_page_dirtied_beside_a_direct_write_poisons),
	};

	return kernel_main(argc, argv, tests, sizeof(tests) / sizeof(*tests));
}
