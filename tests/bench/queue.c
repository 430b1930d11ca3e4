/* SPDX-License-Identifier: MIT */
/*
 * The cost of the queue and of a guest above a raw io_uring.
 *
 * Flow: tests/bench/queue.sh runs the program on a mounted filesystem.
 *
 *	queue FILE rate LENGTH DEPTH ROUNDS	writes a second: a raw liburing loop and the queue,
 *						in turn; prints both medians and the ratio
 *	queue FILE library LENGTH DEPTH SECONDS	writes a second through the queue
 *	queue FILE sync LENGTH ROUNDS		microseconds a batch of 1 to 64 durable writes:
 *						RWF_DSYNC on each, or one fdatasync
 *	queue FILE guest N			N times prep and done, with no ring (callgrind)
 *	queue FILE journaled N			N journaled writes in a ring of the caller's, prep
 *						and done of each between calls of getppid(2);
 *						some 200 of them fill the log
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "libatomicio/journal.h"
#include "libatomicio/uring.h"

/* Since 5.19; older headers lack it. */
#define COOP_TASKRUN (1u << 8)
#define OPS 512
#define ROUNDS_MAX 1001
#define SPAN (8u << 20) /* of the file: XFS keeps 128 KiB of copy-on-write space for each write */
#define RWF_DSYNC_BIT 0x2
#define JOURNALED_LOG (4u << 20)
#define JOURNALED_FRAME (256u << 10)
#define JOURNALED_PLACES 64
#define EVENT_MS 10000
#define RWF_UNTORN (0x40 | 0x20) /* RWF_ATOMIC, RWF_NOAPPEND */

static struct atomicio_file *file;
static struct atomicio_op ops[OPS];
static uint8_t *memory;
static int fd;
static struct io_uring ring;

static void must(int good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "queue: %s\n", what);
	exit(1);
}

static double now_us(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
	const double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static double median(double *values, int count)
{
	qsort(values, (size_t)count, sizeof(*values), compare);
	return values[count / 2];
}

static void push(uint32_t i, int rwf)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	must(sqe != NULL, "the ring is full");
	io_uring_prep_write(sqe, fd, ops[i].buffer, (unsigned int)ops[i].length, ops[i].offset);
	sqe->rw_flags = RWF_UNTORN | rwf;
	sqe->user_data = i;
}

/* The loop that a careful caller would write: `depth` in flight, every result checked. */
static void raw(uint32_t count, uint32_t depth, int rwf)
{
	uint32_t next = 0, flying = 0;

	while (next < count || flying) {
		struct io_uring_cqe *cqe;
		unsigned int head, seen = 0;

		for (; next < count && flying < depth; next++, flying++)
			push(next, rwf);
		io_uring_submit_and_wait(&ring, next < count ? 1 : flying);
		io_uring_for_each_cqe(&ring, head, cqe)
		{
			must(cqe->res == (int)ops[cqe->user_data].length,
			     strerror(cqe->res < 0 ? -cqe->res : EIO));
			seen++;
		}
		io_uring_cq_advance(&ring, seen);
		flying -= seen;
	}
}

static void scatter(uint32_t count, uint32_t length)
{
	static uint32_t state = 1;
	const uint32_t places = SPAN / length;

	for (uint32_t i = 0; i < count; i++) {
		state = state * 1664525u + 1013904223u;
		/* One op per stretch of the file: no two overlap. */
		ops[i] = (struct atomicio_op){
			.file = file,
			.buffer = memory + (size_t)i * length,
			.offset =
				((uint64_t)i * (places / count) + (state >> 8) % (places / count)) *
				length,
			.length = length,
		};
	}
}

static int rate(uint32_t length, uint32_t depth, int rounds)
{
	static double by_ring[ROUNDS_MAX], by_queue[ROUNDS_MAX], ratios[ROUNDS_MAX];
	struct atomicio_queue *queue;
	double one, two;

	must(!io_uring_queue_init(depth, &ring, COOP_TASKRUN), "no ring");
	must(!atomicio_queue_create(depth, &queue), "no queue");
	for (int i = -2; i < rounds; i++) {
		double ring_us = 0, queue_us = 0;

		for (int turn = 0; turn < 2; turn++) {
			const double start = now_us();

			scatter(OPS, length);
			if ((turn + i) & 1) {
				raw(OPS, depth, 0);
				ring_us = now_us() - start;
			} else {
				must(!atomicio_write_batch(queue, ops, OPS, 0), "a batch failed");
				queue_us = now_us() - start;
			}
		}
		if (i < 0)
			continue; /* warming up */
		by_ring[i] = OPS * 1e6 / ring_us;
		by_queue[i] = OPS * 1e6 / queue_us;
		ratios[i] = ring_us / queue_us;
	}
	one = median(by_ring, rounds);
	two = median(by_queue, rounds);
	printf("length %u depth %u rounds %d raw %.0f queue %.0f ratio %.3f paired %.3f\n", length,
	       depth, rounds, one, two, two / one, median(ratios, rounds));
	atomicio_queue_destroy(queue);
	io_uring_queue_exit(&ring);
	return 0;
}

/* Puts the ops in a random order: where a stretch is one place, scatter() goes through the file. */
static void shuffle(uint32_t count)
{
	static uint64_t state = 1;

	for (uint32_t i = count; i > 1; i--) {
		struct atomicio_op op = ops[i - 1];
		uint32_t other;

		state = state * 6364136223846793005u + 1442695040888963407u;
		other = (uint32_t)(state >> 33) % i;
		ops[i - 1] = ops[other];
		ops[other] = op;
	}
}

static int library(uint32_t length, uint32_t depth, double seconds)
{
	struct atomicio_queue *queue;
	const double start = now_us();
	uint64_t done = 0;

	must(!atomicio_queue_create(depth, &queue), "no queue");
	do {
		scatter(OPS, length);
		shuffle(OPS);
		must(!atomicio_write_batch(queue, ops, OPS, 0), "a batch failed");
		done += OPS;
	} while (now_us() - start < seconds * 1e6);
	printf("%.1f\n", (double)done * 1e6 / (now_us() - start));
	atomicio_queue_destroy(queue);
	return 0;
}

static int sync_ways(uint32_t length, int rounds)
{
	static double each[ROUNDS_MAX], once[ROUNDS_MAX];

	must(!io_uring_queue_init(64, &ring, COOP_TASKRUN), "no ring");
	for (uint32_t count = 1; count <= 64; count *= 2) {
		for (int i = 0; i < rounds; i++) {
			for (int turn = 0; turn < 2; turn++) {
				const double start = now_us();

				scatter(count, length);
				if ((turn + i) & 1) {
					raw(count, 64, RWF_DSYNC_BIT);
					each[i] = now_us() - start;
				} else {
					raw(count, 64, 0);
					must(!fdatasync(fd), "fdatasync failed");
					once[i] = now_us() - start;
				}
			}
		}
		printf("length %u writes %u RWF_DSYNC on each %.0f us, one fdatasync %.0f us\n",
		       length, count, median(each, rounds), median(once, rounds));
	}
	return 0;
}

static int guest(int count)
{
	static struct atomicio_request request;
	static struct io_uring_sqe sqe;

	for (int i = 0; i < count; i++) {
		must(!atomicio_uring_prep(&request, file, &sqe, memory, 4096,
					  (uint64_t)(i % 64) * 4096, 0),
		     "prep failed");
		must(!atomicio_uring_done(&request, 4096), "done failed");
	}
	return 0;
}

static struct atomicio_file *open_journaled(const char *name, struct atomicio_options *options)
{
	const struct atomicio_journal_options log_options = {.size = JOURNALED_LOG,
							     .frame_max = JOURNALED_FRAME};
	struct atomicio_file *home;
	char beside[4096];
	int log;

	snprintf(beside, sizeof(beside), "%s.journal", name);
	log = open(beside, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	must(log >= 0 && !atomicio_journal_create(log, &log_options, sizeof(log_options)) &&
		     !atomicio_journal_open(log, NULL, 0, &options->journal),
	     "no journal");
	must(!atomicio_open(fd, options, sizeof(*options), &home), "open failed");
	return home;
}

/* The work of the io_uring with the entry is not the library's. */
static int carry_out(void)
{
	struct io_uring_cqe *cqe;
	int result;

	must(io_uring_submit(&ring) == 1, "the ring failed");
	must(!io_uring_wait_cqe(&ring, &cqe), "no completion");
	result = cqe->res;
	io_uring_cqe_seen(&ring, cqe);
	return result;
}

/*
 * A guest whose writes go through a journal, several times round its log area.  Marks surround prep
 * and done, and exclude the io_uring's work and a caller refused with "later": strace finds the
 * calls of the library's that can wait.
 */
static int journaled(const char *name, int count)
{
	struct atomicio_options options = {.file_id = 1, .path = ATOMICIO_PATH_JOURNAL};
	struct atomicio_file *home = open_journaled(name, &options);
	struct atomicio_request request = {{0}};
	struct pollfd event = {.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .events = POLLIN};
	uint64_t told;

	must(event.fd >= 0 && !atomicio_uring_begin(options.journal, 2, event.fd), "no guests");
	must(!io_uring_queue_init(4, &ring, 0), "no ring");
	must(!posix_fallocate(fd, 0, (off_t)JOURNALED_PLACES * 16384), "no room");
	for (int i = 0, error; i < count; i += error <= 0) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
		int result;

		getppid();
		error = atomicio_uring_prep(&request, home, sqe, memory, 16384,
					    (uint64_t)(i % JOURNALED_PLACES) * 16384,
					    ATOMICIO_DSYNC);
		getppid();
		result = carry_out();
		if (error == -EAGAIN) {
			must(poll(&event, 1, EVENT_MS) == 1, "no event");
			must(read(event.fd, &told, sizeof(told)) == sizeof(told), "no event");
			error = 1;
			continue;
		}
		must(!error, "prep failed");
		getppid();
		error = atomicio_uring_done(&request, result);
		getppid();
		must(error >= 0, "done failed");
	}
	must(!atomicio_close(home), "close failed");
	atomicio_journal_close(options.journal);
	io_uring_queue_exit(&ring);
	return 0;
}

int main(int argc, char **argv)
{
	const char *mode = argc > 3 ? argv[2] : "";
	const int first = argc > 3 ? atoi(argv[3]) : 0, last = argc > 3 ? atoi(argv[argc - 1]) : 0;

	must(argc > 3,
	     "usage: queue FILE rate LENGTH DEPTH ROUNDS | library LENGTH DEPTH SECONDS | "
	     "sync LENGTH ROUNDS | guest N | journaled N");
	fd = open(argv[1], O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0644);
	must(fd >= 0 && !atomicio_open(fd, NULL, 0, &file), "open failed");
	must(!posix_memalign((void **)&memory, 65536, SPAN), "no memory");
	memset(memory, 'q', SPAN);
	if (strcmp(mode, "guest") == 0)
		return guest(first);
	for (uint64_t at = 0; at < SPAN; at += 1 << 20)
		must(pwrite(fd, memory, 1 << 20, (off_t)at) == 1 << 20, "cannot fill the file");
	if (argc == 6 && strcmp(mode, "library") == 0)
		return library((uint32_t)first, (uint32_t)atoi(argv[4]), atof(argv[5]));
	if (strcmp(mode, "journaled") == 0)
		return journaled(argv[1], first);
	must(!fsync(fd) && last > 0 && last <= ROUNDS_MAX && first >= 4096, "bad arguments");
	if (strcmp(mode, "rate") == 0)
		return rate((uint32_t)first, (uint32_t)atoi(argv[4]), last);
	return sync_ways((uint32_t)first, last);
}
