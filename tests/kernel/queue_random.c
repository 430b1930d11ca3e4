/* SPDX-License-Identifier: MIT */
/*
 * Goal: a queue is only a faster way: the same operations through atomicio_write() and through a
 * queue end in the same files and the same results.
 * Method: 10,000 random ops in random batches, good and bad shapes, over files with no fallback,
 * with the plain one, with a journal, and with a journal behind the kernel.  Ops of one
 * batch do not overlap, those of different batches do.  ATOMICIO_SEED=N repeats a run.
 */
#include <stdbool.h>
#include <time.h>

#include "kernel_test.h"
#include "libatomicio/journal.h"
#include "libatomicio/uring.h"

#define OPS 10000
#define BATCH_MAX 96
#define KINDS 4
#define CELL (64 * KIB) /* an op stays in one cell, and a batch has one op a cell */
#define CELLS 32
#define SIZE (CELLS * CELL)

struct side {
	const char *names[KINDS];
	struct atomicio_file *files[KINDS];
	int fds[KINDS];
	struct atomicio_journal *journal;
	int journal_fd;
};

static uint64_t state;

static uint32_t pick(uint32_t below)
{
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)((state >> 33) % below);
}

static void open_side(struct side *side, const char *journal_name)
{
	const struct atomicio_journal_options layout = {.size = 4 * MIB};

	side->journal_fd = kernel_file(journal_name, 0, O_RDWR);
	CHECK_EQ(atomicio_journal_create(side->journal_fd, &layout, sizeof(layout)), 0);
	CHECK_EQ(atomicio_journal_open(side->journal_fd, NULL, 0, &side->journal), 0);
	for (uint32_t i = 0; i < KINDS; i++) {
		struct atomicio_options options = {.bounce_max = i == 0 ? 16 * KIB : 0};

		if (i == 1)
			options.fallback = ATOMICIO_FALLBACK_PLAIN;
		if (i >= 2) {
			options.journal = side->journal;
			options.file_id = i;
			options.path = i == 3 ? ATOMICIO_PATH_KERNEL : ATOMICIO_PATH_AUTO;
		}
		side->fds[i] = kernel_file(side->names[i], SIZE, O_RDWR | O_DIRECT);
		side->files[i] = kernel_open(side->fds[i], &options);
	}
}

static void close_side(struct side *side)
{
	for (uint32_t i = 0; i < KINDS; i++) {
		CHECK_EQ(atomicio_close(side->files[i]), 0);
		close(side->fds[i]);
	}
	atomicio_journal_close(side->journal);
	close(side->journal_fd);
}

/* An op in one cell; three of four are of a good shape. */
static void invent(struct atomicio_op *op, uint32_t cell, uint8_t *memory, uint32_t seed)
{
	op->length = (uint64_t)4096 << pick(4);
	op->offset = (uint64_t)cell * CELL + pick((uint32_t)(CELL / op->length)) * op->length;
	switch (pick(16)) {
	case 0:
		op->length -= 512;
		break;
	case 1:
		op->offset += op->length == CELL ? 0 : 512;
		op->length = op->length > 4096 ? op->length / 2 : 2048;
		break;
	case 2:
		memory += 4; /* bounced, or refused */
		break;
	case 3:
		op->length = 512;
		break;
	default:
		break;
	}
	op->buffer = memory;
	kernel_fill(memory, op->length, op->offset, seed);
}

static uint32_t run_batch(struct side *one, struct side *two, struct atomicio_queue *queue,
			  uint8_t *memory, uint32_t left)
{
	static struct atomicio_op ops[BATCH_MAX];
	static uint32_t kinds[BATCH_MAX];
	bool used[KINDS][CELLS] = {{false}};
	uint32_t count = 1 + pick(BATCH_MAX);
	const uint32_t flags = pick(8) == 0 ? ATOMICIO_DSYNC : 0;
	int error, first = 0;

	if (count > left)
		count = left;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t cell;

		do {
			kinds[i] = pick(KINDS);
			cell = pick(CELLS);
		} while (used[kinds[i]][cell]);
		used[kinds[i]][cell] = true;
		ops[i] = (struct atomicio_op){.result = 12345};
		invent(&ops[i], cell, memory + (size_t)i * 2 * CELL, left - i);
		ops[i].file = two->files[kinds[i]];
	}
	error = atomicio_write_batch(queue, ops, count, flags);
	for (uint32_t i = 0; i < count; i++) {
		const int result = atomicio_write(one->files[kinds[i]], ops[i].buffer,
						  ops[i].length, ops[i].offset, flags);

		if (result != ops[i].result)
			printf("# op %u: %u bytes at %llu of kind %u\n", left - i,
			       (unsigned int)ops[i].length, (unsigned long long)ops[i].offset,
			       kinds[i]);
		CHECK_EQ(ops[i].result, result);
		first = first ? first : result;
	}
	CHECK_EQ(error, first);
	return count;
}

static void compare_files(const struct side *one, const struct side *two)
{
	uint8_t *left = kernel_memory(SIZE), *right = kernel_memory(SIZE);

	for (uint32_t i = 0; i < KINDS; i++) {
		CHECK_EQ(pread(one->fds[i], left, SIZE, 0), SIZE);
		CHECK_EQ(pread(two->fds[i], right, SIZE, 0), SIZE);
		for (uint32_t at = 0; at < SIZE; at++)
			if (left[at] != right[at]) {
				printf("# %s differs at %u\n", one->names[i], at);
				CHECK(left[at] == right[at]);
			}
	}
	free(left);
	free(right);
}

static void queue_and_calls_end_in_the_same_files_and_results(void)
{
	struct side calls = {.names = {"c0", "c1", "c2", "c3"}};
	struct side queued = {.names = {"q0", "q1", "q2", "q3"}};
	uint8_t *memory = kernel_memory(BATCH_MAX * 2 * (size_t)CELL);
	const char *wanted = getenv("ATOMICIO_SEED");
	struct atomicio_queue_stats stats;
	struct atomicio_queue *queue;
	uint64_t seed = wanted ? strtoull(wanted, NULL, 0) : (uint64_t)time(NULL);

	printf("# ATOMICIO_SEED=%llu\n", (unsigned long long)seed);
	state = seed;
	open_side(&calls, "calls.journal");
	open_side(&queued, "queued.journal");
	CHECK_EQ(atomicio_queue_create(1 + pick(64), &queue), 0);
	for (uint32_t left = OPS; left > 0;)
		left -= run_batch(&calls, &queued, queue, memory, left);
	compare_files(&calls, &queued);
	CHECK_EQ(atomicio_queue_get_stats(queue, &stats, sizeof(stats)), 0);
	CHECK_EQ(stats.ops, OPS);
	CHECK(stats.ring_error || stats.submissions > OPS / 4);
	for (uint32_t i = 0; i < KINDS; i++) {
		CHECK_EQ(kernel_stats(queued.files[i]).bytes, kernel_stats(calls.files[i]).bytes);
		CHECK_EQ(kernel_stats(queued.files[i]).writes_failed,
			 kernel_stats(calls.files[i]).writes_failed);
	}
	atomicio_queue_destroy(queue);
	close_side(&calls);
	close_side(&queued);
	free(memory);
}

int main(int argc, char **argv)
{
	const struct kernel_test tests[] = {
		TEST(queue_and_calls_end_in_the_same_files_and_results),
	};

	return kernel_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
