/* SPDX-License-Identifier: MIT */
/*
 * Goal: batches through a queue on a real ring: every size and depth, good and refused ops in one
 * batch, several files, durability, signals, rivals, and no io_uring at all.
 * Method: on XFS with reflink; pages that name their place, read back through another descriptor.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "kernel_test.h"
#include "libatomicio/journal.h"
#include "libatomicio/uring.h"

#define PAGE (4 * KIB)
#define OPS_MAX 512
#define FILES 3

static struct atomicio_op ops[OPS_MAX];
static struct atomicio_file *files[FILES];
static int fds[FILES];
static const char *const names[FILES] = {"first", "second", "third"};
static struct atomicio_queue *queue;
static uint8_t *bytes;

static void begin(uint32_t depth)
{
	for (int i = 0; i < FILES; i++) {
		fds[i] = kernel_file(names[i], 2 * MIB, O_RDWR | O_DIRECT);
		files[i] = kernel_open(fds[i], NULL);
	}
	if (!bytes)
		bytes = kernel_memory(4 * MIB);
	CHECK_EQ(atomicio_queue_create(depth, &queue), 0);
}

static void end(void)
{
	atomicio_queue_destroy(queue);
	for (int i = 0; i < FILES; i++) {
		CHECK_EQ(atomicio_close(files[i]), 0);
		close(fds[i]);
	}
}

static struct atomicio_queue_stats queue_stats(void)
{
	struct atomicio_queue_stats stats;

	CHECK_EQ(atomicio_queue_get_stats(queue, &stats, sizeof(stats)), 0);
	return stats;
}

/* Op i writes page i / FILES of file i % FILES, with `seed`. */
static void put_pages(uint32_t count, uint32_t seed)
{
	for (uint32_t i = 0; i < count; i++) {
		ops[i] = (struct atomicio_op){.file = files[i % FILES],
					      .buffer = bytes + (size_t)i * PAGE,
					      .offset = (uint64_t)(i / FILES) * PAGE,
					      .length = PAGE,
					      .result = 1};
		kernel_fill(bytes + (size_t)i * PAGE, PAGE, ops[i].offset, seed);
	}
}

static int page_holds(uint32_t i, uint32_t seed)
{
	return kernel_holds(names[i % FILES], ops[i].offset, PAGE, seed);
}

static void every_size_is_written_whole(void)
{
	uint32_t seed = 2, count = 0;
	size_t place = 0;

	begin(4);
	for (size_t size = kernel_caps(files[0]).direct.unit_min;
	     size <= kernel_caps(files[0]).direct.unit_max && size <= MIB; size *= 2) {
		ops[count++] = (struct atomicio_op){.file = files[0],
						    .buffer = bytes + place,
						    .offset = size,
						    .length = size,
						    .result = 1};
		kernel_fill(bytes + place, size, size, seed++);
		place += size;
	}
	CHECK(count >= 4);
	CHECK_EQ(atomicio_write_batch(queue, ops, count, ATOMICIO_DSYNC), 0);
	for (uint32_t i = 0; i < count; i++) {
		CHECK_EQ(ops[i].result, 0);
		CHECK(kernel_holds("first", ops[i].offset, ops[i].length, 2 + i));
	}
	CHECK_EQ(queue_stats().ring_error, 0);
	CHECK_EQ(queue_stats().submissions, count);
	CHECK_EQ(queue_stats().syncs, 1);
	end();
}

static void every_depth_with_good_and_refused_ops(void)
{
	for (uint32_t depth = 1; depth <= 256; depth *= 2) {
		begin(depth);
		put_pages(OPS_MAX, depth + 10);
		for (uint32_t i = 0; i < OPS_MAX; i += 7)
			ops[i].length = i % 2 ? PAGE - 512 : 3 * PAGE;
		for (uint32_t i = 3; i < OPS_MAX; i += 70)
			ops[i].buffer = NULL;
		CHECK_EQ(atomicio_write_batch(queue, ops, OPS_MAX, 0), -EINVAL);
		for (uint32_t i = 0; i < OPS_MAX; i++) {
			const int refused = i % 7 == 0 || i % 70 == 3;

			CHECK_EQ(ops[i].result, refused ? -EINVAL : 0);
			CHECK(page_holds(i, refused ? 1 : depth + 10));
		}
		end();
	}
}

static void durable_batch_is_synced_once_a_file(void)
{
	begin(64);
	put_pages(FILES * 20, 5);
	CHECK_EQ(atomicio_write_batch(queue, ops, FILES * 20, ATOMICIO_DSYNC), 0);
	CHECK_EQ(queue_stats().syncs, FILES);
	for (uint32_t i = 0; i < FILES * 20; i++)
		CHECK(page_holds(i, 5));
	put_pages(FILES, 6);
	CHECK_EQ(atomicio_write_batch(queue, ops, FILES, ATOMICIO_DSYNC), 0);
	CHECK_EQ(queue_stats().syncs, FILES);
	CHECK_EQ(kernel_stats(files[0]).syncs, 1);
	CHECK_EQ(kernel_stats(files[0]).writes_filesystem, 21);
	end();
}

static void op_on_a_closed_descriptor_fails_alone(void)
{
	begin(8);
	put_pages(30, 5);
	close(fds[1]);
	CHECK_EQ(atomicio_write_batch(queue, ops, 30, 0), -EBADF);
	for (uint32_t i = 0; i < 30; i++) {
		CHECK_EQ(ops[i].result, i % FILES == 1 ? -EBADF : 0);
		CHECK(page_holds(i, i % FILES == 1 ? 1 : 5));
	}
	fds[1] = -1;
	end();
}

static atomic_uint signals;

static void on_signal(int number)
{
	(void)number;
	signals++;
}

/* A51 */
static void signals_do_not_end_a_batch(void)
{
	struct sigaction action = {.sa_handler = on_signal}; /* without SA_RESTART */
	const struct itimerval often = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};

	begin(16);
	MUST(sigaction(SIGALRM, &action, NULL));
	signals = 0;
	for (uint32_t round = 0; round < 20; round++) {
		put_pages(OPS_MAX, round + 2);
		MUST(setitimer(ITIMER_REAL, &often, NULL));
		CHECK_EQ(atomicio_write_batch(queue, ops, OPS_MAX, ATOMICIO_DSYNC), 0);
		MUST(setitimer(ITIMER_REAL, &never, NULL));
		for (uint32_t i = 0; i < OPS_MAX; i += 37)
			CHECK(page_holds(i, round + 2));
	}
	CHECK(signals > 20);
	CHECK_EQ(queue_stats().ring_error, 0);
	CHECK_EQ(queue_stats().submissions, 20 * OPS_MAX);
	end();
}

#define RIVALS 4

struct rival {
	struct atomicio_op ops[32];
	uint32_t done, busy, other;
};

static void *run_rival(void *context)
{
	struct rival *rival = context;

	for (int i = 0; i < 200; i++) {
		const int error = atomicio_write_batch(queue, rival->ops, 32, 0);

		if (error == 0)
			rival->done++;
		else if (error == -EBUSY)
			rival->busy++;
		else
			rival->other++;
	}
	return NULL;
}

static void threads_share_a_queue_by_ebusy(void)
{
	static struct rival rivals[RIVALS];
	pthread_t threads[RIVALS];
	uint32_t done = 0, busy = 0;

	begin(16);
	memset(rivals, 0, sizeof(rivals));
	for (uint32_t t = 0; t < RIVALS; t++)
		for (uint32_t i = 0; i < 32; i++) {
			const uint64_t offset = ((uint64_t)t * 32 + i) * PAGE;

			kernel_fill(bytes + offset, PAGE, offset, 7);
			rivals[t].ops[i] = (struct atomicio_op){.file = files[0],
								.buffer = bytes + offset,
								.offset = offset,
								.length = PAGE};
		}
	for (uint32_t t = 0; t < RIVALS; t++)
		CHECK_EQ(pthread_create(&threads[t], NULL, run_rival, &rivals[t]), 0);
	for (uint32_t t = 0; t < RIVALS; t++)
		CHECK_EQ(pthread_join(threads[t], NULL), 0);
	for (uint32_t t = 0; t < RIVALS; t++) {
		CHECK_EQ(rivals[t].other, 0);
		done += rivals[t].done;
		busy += rivals[t].busy;
		if (rivals[t].done)
			CHECK(kernel_holds("first", (uint64_t)t * 32 * PAGE, 32 * PAGE, 7));
	}
	CHECK(done > 0 && busy > 0);
	CHECK_EQ(queue_stats().batches, done);
	CHECK_EQ(queue_stats().submissions, done * 32);
	end();
}

/* io_uring_setup() fails with EPERM from here on, as in a container. */
static void forbid_io_uring(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 425, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {.len = 4, .filter = filter};

	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	MUST(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0));
}

static void without_io_uring_the_queue_uses_pwritev2(void)
{
	int status = 0;
	const pid_t child = fork();

	MUST(child);
	if (child == 0) {
		if (setjmp(kernel_failed))
			_exit(1);
		forbid_io_uring();
		begin(16);
		CHECK_EQ(queue_stats().ring_error, -EPERM);
		put_pages(60, 5);
		ops[7].length = 100;
		CHECK_EQ(atomicio_write_batch(queue, ops, 60, ATOMICIO_DSYNC), -EINVAL);
		for (uint32_t i = 0; i < 60; i++) {
			CHECK_EQ(ops[i].result, i == 7 ? -EINVAL : 0);
			CHECK(page_holds(i, i == 7 ? 1 : 5));
		}
		CHECK_EQ(queue_stats().submissions, 0);
		CHECK_EQ(queue_stats().syncs, FILES);
		end();
		_exit(0);
	}
	MUST(waitpid(child, &status, 0));
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 0);
}

/* Journaled ops share frames, other ops go to the io_uring; both kinds over one file, in turn. */
static void journal_and_kernel_ops_in_one_batch(void)
{
	const struct atomicio_journal_options layout = {.size = 2 * MIB, .frame_max = 256 * KIB};
	struct atomicio_options options = {.file_id = 5, .path = ATOMICIO_PATH_KERNEL};
	struct atomicio_journal *journal;
	struct atomicio_file *mixed;
	int journal_fd;

	begin(16);
	journal_fd = kernel_file("journal", 0, O_RDWR);
	CHECK_EQ(atomicio_journal_create(journal_fd, &layout, sizeof(layout)), 0);
	CHECK_EQ(atomicio_journal_open(journal_fd, NULL, 0, &options.journal), 0);
	journal = options.journal;
	mixed = kernel_open(fds[0], &options);
	for (uint32_t round = 0; round < 6; round++) {
		put_pages(90, 20 + round);
		for (uint32_t i = 0; i < 90; i += FILES) {
			ops[i].file = mixed;
			/* No power of two: the journal's.  The choice changes each round. */
			if ((i / FILES + round) % 4 == 0)
				ops[i].length = PAGE - 512;
		}
		CHECK_EQ(atomicio_write_batch(queue, ops, 90, round % 2 ? ATOMICIO_DSYNC : 0), 0);
		for (uint32_t i = 0; i < 90; i++) {
			CHECK_EQ(ops[i].result, 0);
			CHECK(kernel_holds(names[i % FILES], ops[i].offset, ops[i].length,
					   20 + round));
		}
	}
	CHECK(kernel_stats(mixed).writes_journal >= 40);
	CHECK(kernel_stats(mixed).writes_filesystem >= 100);
	CHECK_EQ(atomicio_close(mixed), 0);
	atomicio_journal_close(journal);
	close(journal_fd);
	end();
}

int main(int argc, char **argv)
{
	const struct kernel_test tests[] = {
		TEST(every_size_is_written_whole),
		TEST(every_depth_with_good_and_refused_ops),
		TEST(durable_batch_is_synced_once_a_file),
		TEST(op_on_a_closed_descriptor_fails_alone),
		TEST(signals_do_not_end_a_batch),
		TEST(threads_share_a_queue_by_ebusy),
		TEST(without_io_uring_the_queue_uses_pwritev2),
		TEST(journal_and_kernel_ops_in_one_batch),
	};

	return kernel_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
