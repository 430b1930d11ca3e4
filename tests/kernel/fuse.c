/* SPDX-License-Identifier: MIT */
/*
 * Goal: a plain write that is said to be durable has been synced by the server of a FUSE file,
 * which the kernel's DSYNC bit alone does not bring about.
 *
 * Method: fuse.sh passes a directory through (atomicio crash serve directory) and hands the
 * descriptors of the server's control over, in FUSE_TO and FUSE_FROM; the server counts the FSYNC
 * requests that reach it.
 */
#define _GNU_SOURCE
#include "kernel_test.h"

#include <poll.h>
#include <sys/uio.h>

#define NAME "fuse"
#define PAGE (16 * KIB)
#define WRITES 5
#define RWF_DSYNC_BIT 0x2

struct counts {
	unsigned long writes, dsyncs, flushes;
};

/* The requests that the server has seen. */
static struct counts counts(void)
{
	struct counts seen = {0};
	const int to = atoi(getenv("FUSE_TO")), from = atoi(getenv("FUSE_FROM"));
	char line[128] = "";

	MUST(write(to, "stat\n", 5));
	for (size_t i = 0; i < sizeof(line) - 1; i++) {
		struct pollfd ready = {.fd = from, .events = POLLIN};

		CHECK_EQ(poll(&ready, 1, 10000), 1);
		CHECK_EQ(read(from, &line[i], 1), 1);
		if (line[i] == '\n')
			break;
	}
	CHECK_EQ(sscanf(line, "writes %lu dsync %lu flushes %lu", &seen.writes, &seen.dsyncs,
			&seen.flushes),
		 3);
	return seen;
}

/* The control of the other tests: the kernel only passes the bit on. */
/* A64 */
static void fuse_sends_no_fsync_for_a_direct_write_with_dsync(void)
{
	const int fd = kernel_file(NAME, 64 * KIB, O_RDWR);
	uint8_t *page = kernel_memory(PAGE);
	const struct iovec vector = {.iov_base = page, .iov_len = PAGE};
	const struct counts before = counts();

	for (int i = 0; i < WRITES; i++)
		CHECK_EQ(pwritev2(fd, &vector, 1, 0, RWF_DSYNC_BIT), PAGE);
	CHECK(counts().dsyncs >= before.dsyncs + WRITES);
	CHECK_EQ(counts().flushes, before.flushes);
	free(page);
	close(fd);
}

/* Each acknowledged write, by flag or by descriptor, has an FSYNC of its own. */
static void writes_are_synced(int open_flags, uint32_t flags)
{
	const int fd = kernel_file(NAME, 64 * KIB, O_RDWR | open_flags);
	struct kernel_policy policy = {.answer = ATOMICIO_FALLBACK};
	struct atomicio_file *file = kernel_open_with(fd, &policy, ATOMICIO_FALLBACK_PLAIN);

	for (uint32_t i = 0; i < WRITES; i++) {
		const struct counts before = counts();

		CHECK_EQ(kernel_write(file, 2 + i, PAGE, PAGE, flags), 0);
		CHECK(counts().flushes > before.flushes);
		CHECK(kernel_holds(NAME, PAGE, PAGE, 2 + i));
	}
	CHECK_EQ(kernel_stats(file).writes_plain, WRITES);
	atomicio_close(file);
	close(fd);
}

/* A64 */
static void a_durable_plain_write_is_synced_by_the_fuse_server(void)
{
	writes_are_synced(0, ATOMICIO_DSYNC);
	writes_are_synced(O_DIRECT, ATOMICIO_DSYNC);
	writes_are_synced(O_DSYNC, 0);
	writes_are_synced(O_DIRECT | O_DSYNC, 0);
	writes_are_synced(O_SYNC, ATOMICIO_DSYNC);
}

/* Writes without durability cost no sync; then one sync serves all. */
static void a_sync_of_plain_writes_reaches_the_fuse_server(void)
{
	const int fd = kernel_file(NAME, 64 * KIB, O_RDWR | O_DIRECT);
	struct kernel_policy policy = {.answer = ATOMICIO_FALLBACK};
	struct atomicio_file *file = kernel_open_with(fd, &policy, ATOMICIO_FALLBACK_PLAIN);
	const struct counts before = counts();

	for (uint32_t i = 0; i < 3; i++)
		CHECK_EQ(kernel_write(file, 2, PAGE, i * PAGE, 0), 0);
	CHECK_EQ(counts().flushes, before.flushes);
	CHECK_EQ(atomicio_sync(file), 0);
	CHECK(counts().flushes > before.flushes);
	atomicio_close(file);
	close(fd);
}

/* A batch syncs once for all of its writes to a file, and not before. */
static void a_durable_batch_is_synced_by_the_fuse_server(void)
{
	const int fd = kernel_file(NAME, 64 * KIB, O_RDWR | O_DIRECT);
	struct kernel_policy policy = {.answer = ATOMICIO_FALLBACK};
	struct atomicio_file *file = kernel_open_with(fd, &policy, ATOMICIO_FALLBACK_PLAIN);
	uint8_t *page = kernel_memory(PAGE);
	struct atomicio_op ops[3];
	struct counts before;

	kernel_fill(page, PAGE, 0, 7);
	for (uint32_t i = 0; i < 3; i++)
		ops[i] = (struct atomicio_op){
			.file = file, .buffer = page, .length = PAGE, .offset = i * PAGE};
	before = counts();
	CHECK_EQ(atomicio_write_batch(NULL, ops, 3, ATOMICIO_DSYNC), 0);
	CHECK(counts().flushes > before.flushes);
	CHECK(kernel_holds(NAME, 0, PAGE, 7));
	atomicio_close(file);
	free(page);
	close(fd);
}

int main(int argc, char **argv)
{
	static const struct kernel_test tests[] = {
		TEST(fuse_sends_no_fsync_for_a_direct_write_with_dsync),
		TEST(a_durable_plain_write_is_synced_by_the_fuse_server),
		TEST(a_sync_of_plain_writes_reaches_the_fuse_server),
		TEST(a_durable_batch_is_synced_by_the_fuse_server),
	};

	if (!getenv("FUSE_TO") || !getenv("FUSE_FROM"))
		return 2;
	return kernel_main(argc, argv, tests, sizeof(tests) / sizeof(*tests));
}
