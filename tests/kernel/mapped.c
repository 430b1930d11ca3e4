/* SPDX-License-Identifier: MIT */
/*
 * Goal: a buffer that cannot be read as a whole is never written in part: the write is refused, and
 * the file is as it was.
 *
 * Method: on XFS with reflink, where the kernel writes such a part beyond the end of the file if
 * the memory ends inside a block.  Buffers of every alignment whose last pages are unmapped, or
 * may not be read, by call, by a queue and by a guest; xfs.sh runs it on several sizes of block.
 */
#define _GNU_SOURCE
#include "kernel_test.h"

#include <sys/mman.h>
#include <sys/uio.h>

#include "libatomicio/uring.h"
#ifndef ATOMICIO_NO_URING
#include <liburing.h>
#endif

#define NAME "mapped"
#define MEMORY_PAGE 4096u
#define BLOCK_MAX 65536u
#define RWF_ATOMIC_BIT 0x40

/* `readable` bytes of 'N', then a hole or forbidden memory up to `length`. */
struct buffer {
	uint8_t *map;
	size_t size;
	uint8_t *start;
};

/* Memory at a multiple of the largest block, wherever the kernel would have put it. */
static uint8_t *map_aligned(size_t size)
{
	uint8_t *all = mmap(NULL, size + BLOCK_MAX, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t before;

	CHECK(all != MAP_FAILED);
	before = -(uintptr_t)all & (BLOCK_MAX - 1);
	if (before)
		MUST(munmap(all, before));
	MUST(munmap(all + before + size, BLOCK_MAX - before));
	return all + before;
}

static struct buffer half_mapped(size_t length, size_t misalign, size_t pages, bool hole)
{
	const size_t size = (length + 3 * MEMORY_PAGE - 1) & ~(size_t)(MEMORY_PAGE - 1);
	const size_t from = pages * MEMORY_PAGE;
	struct buffer buffer = {.size = size, .map = map_aligned(size)};

	memset(buffer.map, 'N', size);
	if (hole)
		MUST(munmap(buffer.map + from, size - from));
	else
		MUST(mprotect(buffer.map + from, size - from, PROT_NONE));
	buffer.start = buffer.map + misalign;
	return buffer;
}

/* The control: the kernel alone, without the library. */
/* A42 */
static void xfs_writes_a_part_of_a_buffer_beyond_the_end(void)
{
	int fd = kernel_file(NAME, 0, O_RDWR | O_DIRECT);
	struct atomicio_file *file = kernel_open(fd, NULL);
	const size_t length = kernel_caps(file).direct.unit_min;
	const size_t misalign = length > MEMORY_PAGE ? 0 : 512;
	struct buffer buffer = half_mapped(length, misalign, 1, true);
	const struct iovec vector = {.iov_base = buffer.start, .iov_len = length};
	const ssize_t result = pwritev2(fd, &vector, 1, 0, RWF_ATOMIC_BIT);

	munmap(buffer.map, MEMORY_PAGE);
	if (length + misalign > MEMORY_PAGE)
		CHECK_EQ(result, MEMORY_PAGE - misalign);
	atomicio_close(file);
	close(fd);
}

/* One write, by one of the ways, of each shape. */
static void never_written(int (*way)(struct atomicio_file *file, const void *buffer, size_t length,
				     uint64_t offset))
{
	for (size_t length = 4 * KIB; length <= 64 * KIB; length *= 2)
		for (size_t misalign = 0; misalign < MEMORY_PAGE; misalign += 512)
			for (size_t pages = 1; pages * MEMORY_PAGE < length + misalign;
			     pages += 3) {
				const bool hole = misalign / 512 % 2;
				struct buffer buffer = half_mapped(length, misalign, pages, hole);
				int fd = kernel_file(NAME, 64 * KIB, O_RDWR | O_DIRECT);
				struct kernel_policy policy = {.answer = ATOMICIO_FAIL};
				struct atomicio_file *file =
					kernel_open_with(fd, &policy, ATOMICIO_FALLBACK_NONE);
				const bool small = length < kernel_caps(file).direct.unit_min;

				for (uint64_t offset = 0; offset <= 64 * KIB; offset += 64 * KIB) {
					const int error = way(file, buffer.start, length, offset);

					CHECK_EQ(error, small ? -EINVAL : -EFAULT);
					CHECK_EQ(policy.last.on_disk, ATOMICIO_DISK_OLD);
					CHECK_EQ(kernel_size(NAME), 64 * KIB);
					CHECK(kernel_holds(NAME, 0, 64 * KIB, 1));
				}
				/* Nothing is poisoned. */
				CHECK_EQ(kernel_write(file, 2, 64 * KIB, 64 * KIB, 0), 0);
				atomicio_close(file);
				close(fd);
				munmap(buffer.map, hole ? pages * MEMORY_PAGE : buffer.size);
			}
}

static int by_call(struct atomicio_file *file, const void *buffer, size_t length, uint64_t offset)
{
	return atomicio_write(file, buffer, length, offset, 0);
}

/* A42 */
static void a_partly_mapped_buffer_is_never_written(void)
{
	never_written(by_call);
}

/* Made before the hole, which its memory could fill. */
static struct atomicio_queue *queue;

static int by_queue(struct atomicio_file *file, const void *buffer, size_t length, uint64_t offset)
{
	struct atomicio_op op = {
		.file = file, .buffer = buffer, .length = length, .offset = offset};
	const int error = atomicio_write_batch(queue, &op, 1, 0);

	CHECK_EQ(op.result, error);
	return error;
}

/* A42 */
static void a_partly_mapped_buffer_is_never_written_by_a_queue(void)
{
	CHECK_EQ(atomicio_queue_create(4, &queue), 0);
	never_written(by_queue);
	atomicio_queue_destroy(queue);
}

#ifndef ATOMICIO_NO_URING
static struct io_uring ring;

static int by_guest(struct atomicio_file *file, const void *buffer, size_t length, uint64_t offset)
{
	struct atomicio_request request = {0};
	struct io_uring_cqe *cqe;
	int error;

	(void)atomicio_uring_prep(&request, file, io_uring_get_sqe(&ring), buffer, length, offset,
				  0);
	CHECK_EQ(io_uring_submit_and_wait(&ring, 1), 1);
	CHECK_EQ(io_uring_wait_cqe(&ring, &cqe), 0);
	error = atomicio_uring_done(&request, cqe->res);
	io_uring_cqe_seen(&ring, cqe);
	return error;
}

/* A42 */
static void a_partly_mapped_buffer_is_never_written_by_a_guest(void)
{
	CHECK_EQ(io_uring_queue_init(4, &ring, 0), 0);
	never_written(by_guest);
	io_uring_queue_exit(&ring);
}
#endif

int main(int argc, char **argv)
{
	static const struct kernel_test tests[] = {
		TEST(xfs_writes_a_part_of_a_buffer_beyond_the_end),
		TEST(a_partly_mapped_buffer_is_never_written),
		TEST(a_partly_mapped_buffer_is_never_written_by_a_queue),
#ifndef ATOMICIO_NO_URING
		TEST(a_partly_mapped_buffer_is_never_written_by_a_guest),
#endif
	};

	return kernel_main(argc, argv, tests, sizeof(tests) / sizeof(*tests));
}
