/* SPDX-License-Identifier: MIT */
/*
 * Many writes at once, and other processes beside them.
 *
 * Flow: from library.c: `library crowd PATH SIZE COUNT THREADS WAY [places=N] [readers=N] [flip]`.
 *
 * Rules:
 * LC1 COUNT writes of SIZE bytes, in all threads together, each at one of `places` offsets in
 *     turn. The way `ring` has one thread, and THREADS entries on their way; `raw` is the control:
 *     one call with RWF_ATOMIC and RWF_NOWAIT, as the library's own first try is on a raw disk.
 * LC2 each of the readers reads all places through the page cache, without a pause.
 * LC3 flip: a process sets the file's flag JOURNAL_DATA and clears it, for ever.
 * LC4 every write has an answer: ok, again, broken, poisoned, refused (EOPNOTSUPP) or other.  A
 *     poisoned handle of one thread is opened again.
 */
#define _GNU_SOURCE
#include "library.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/fs.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS_MAX 64U
#define CHILDREN_MAX 8U
#define RWF_NOWAIT_BIT 0x8

struct crowd {
	const char *path;
	uint64_t size, count, places;
	uint32_t threads, readers;
	bool flip;
	struct library library;
	char *page;
	atomic_ullong next, ok, again, broken, poisoned, refused, other;
	atomic_int last_other;
};

static void judge(struct crowd *crowd, int32_t result)
{
	if (result == 0) {
		atomic_fetch_add(&crowd->ok, 1);
	} else if (result == -EAGAIN) {
		atomic_fetch_add(&crowd->again, 1);
	} else if (result == -EIO) {
		atomic_fetch_add(&crowd->broken, 1);
	} else if (result == -ENOTRECOVERABLE) {
		atomic_fetch_add(&crowd->poisoned, 1);
	} else if (result == -EOPNOTSUPP) {
		atomic_fetch_add(&crowd->refused, 1);
	} else {
		atomic_fetch_add(&crowd->other, 1);
		atomic_store(&crowd->last_other, result);
	}
}

static uint64_t place(const struct crowd *crowd, uint64_t number)
{
	return number % crowd->places * crowd->size;
}

static int32_t write_once(struct crowd *crowd, uint64_t offset)
{
	const struct iovec vector = {crowd->page, crowd->size};
	ssize_t result;

	if (crowd->library.way != WAY_RAW)
		return library_write(&crowd->library, crowd->page, offset, crowd->size);
	result = pwritev2(crowd->library.fd, &vector, 1, (off_t)offset,
			  RAW_RWF_ATOMIC | RWF_NOWAIT_BIT);
	return result < 0 ? -errno : 0;
}

/* One thread may open the handle again, poisoned, or opened when the flag was set (LC3). */
static void revive(struct crowd *crowd, int32_t result)
{
	if (crowd->threads > 1 || (result != -EIO && result != -EOPNOTSUPP))
		return;
	atomicio_close(crowd->library.file);
	crowd->library.file = NULL;
	(void)library_open(&crowd->library, crowd->library.fd);
}

static void *write_some(void *context)
{
	struct crowd *crowd = context;
	uint64_t number;

	while ((number = atomic_fetch_add(&crowd->next, 1)) < crowd->count) {
		const int32_t result = write_once(crowd, place(crowd, number));

		judge(crowd, result);
		revive(crowd, result);
	}
	return NULL;
}

static int by_threads(struct crowd *crowd)
{
	pthread_t threads[THREADS_MAX];
	uint32_t made = 0;

	while (made < crowd->threads &&
	       pthread_create(&threads[made], NULL, write_some, crowd) == 0)
		made++;
	for (uint32_t i = 0; i < made; i++)
		pthread_join(threads[i], NULL);
	return made == crowd->threads ? 0 : -EAGAIN;
}

/* Give a request an entry: a new write, or the same again. */
static void fill(struct crowd *crowd, struct io_uring *ring, struct atomicio_request *request,
		 uint64_t offset)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	/* Refused or not, its completion goes to done(). */
	(void)atomicio_uring_prep(request, crowd->library.file, sqe, crowd->page, crowd->size,
				  offset, crowd->library.flags);
	io_uring_sqe_set_data(sqe, request);
}

static int by_ring(struct crowd *crowd)
{
	static struct atomicio_request requests[THREADS_MAX];
	uint64_t offsets[THREADS_MAX];
	struct io_uring ring;
	struct io_uring_cqe *cqe;
	uint64_t begun = 0, done = 0;
	int error = io_uring_queue_init(THREADS_MAX, &ring, 0);

	for (; !error && begun < crowd->threads; begun++) {
		offsets[begun] = place(crowd, begun);
		fill(crowd, &ring, &requests[begun], offsets[begun]);
	}
	while (!error && done < crowd->count) {
		if (io_uring_submit_and_wait(&ring, 1) < 0)
			return -ENODATA;
		while (io_uring_peek_cqe(&ring, &cqe) == 0) {
			struct atomicio_request *request = io_uring_cqe_get_data(cqe);
			const int32_t result = atomicio_uring_done(request, cqe->res);

			io_uring_cqe_seen(&ring, cqe);
			if (result != ATOMICIO_AGAIN_SQE) {
				judge(crowd, result);
				done++;
				if (begun == crowd->count)
					continue;
				offsets[request - requests] = place(crowd, begun++);
			}
			fill(crowd, &ring, request, offsets[request - requests]);
		}
	}
	io_uring_queue_exit(&ring);
	return error;
}

static void read_forever(const struct crowd *crowd)
{
	const int fd = open(crowd->path, O_RDONLY);
	char *page = malloc(crowd->size);

	while (fd >= 0 && page)
		for (uint64_t i = 0; i < crowd->places; i++)
			if (pread(fd, page, crowd->size, (off_t)place(crowd, i)) < 0)
				_exit(1);
	_exit(1);
}

static void flip_forever(const struct crowd *crowd)
{
	const int fd = open(crowd->path, O_RDONLY);
	int flags = 0;

	while (fd >= 0 && ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0) {
		flags ^= FS_JOURNAL_DATA_FL;
		if (ioctl(fd, FS_IOC_SETFLAGS, &flags) != 0)
			_exit(1);
		usleep(flags & FS_JOURNAL_DATA_FL ? 3000 : 20000);
	}
	_exit(1);
}

static uint32_t start_others(const struct crowd *crowd, pid_t *children)
{
	uint32_t count = 0;

	for (; count < crowd->readers + crowd->flip && count < CHILDREN_MAX; count++) {
		children[count] = fork();
		if (children[count] != 0)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (count < crowd->readers)
			read_forever(crowd);
		flip_forever(crowd);
	}
	return count;
}

static int run(struct crowd *crowd)
{
	pid_t children[CHILDREN_MAX];
	uint32_t count, gone = 0;
	int error = library_open(&crowd->library, open(crowd->path, O_RDWR | O_DIRECT));

	if (error)
		return error;
	count = start_others(crowd, children);
	error = crowd->library.way == WAY_RING ? by_ring(crowd) : by_threads(crowd);
	/* The other processes never end alone. */
	for (uint32_t i = 0; i < count; i++) {
		gone += waitpid(children[i], NULL, WNOHANG) == children[i];
		kill(children[i], SIGKILL);
		waitpid(children[i], NULL, 0);
	}
	return error || !gone ? error : -ECHILD;
}

static bool parse(struct crowd *crowd, const char *text)
{
	const char *number;

	if (strcmp(text, "flip") == 0)
		crowd->flip = true;
	else if ((number = library_number(text, "places")))
		crowd->places = strtoull(number, NULL, 0);
	else if ((number = library_number(text, "readers")))
		crowd->readers = (uint32_t)strtoul(number, NULL, 0);
	else
		return false;
	return true;
}

int library_crowd_command(int argc, char **argv)
{
	static struct crowd crowd;
	struct atomicio_stats stats = {0};
	int error;

	if (argc < 7 || !library_way(argv[6], &crowd.library.way))
		return 2;
	crowd.path = argv[2];
	crowd.size = strtoull(argv[3], NULL, 0);
	crowd.count = crowd.places = strtoull(argv[4], NULL, 0);
	crowd.threads = (uint32_t)strtoul(argv[5], NULL, 0);
	for (int i = 7; i < argc; i++)
		if (!parse(&crowd, argv[i]))
			return 2;
	if (!crowd.threads || crowd.threads > THREADS_MAX || crowd.threads > crowd.count ||
	    !crowd.places || posix_memalign((void **)&crowd.page, RAW_PAGE, crowd.size))
		return 2;
	raw_fill(crowd.page, crowd.size, 1);
	error = run(&crowd);
	if (error) {
		printf("error=%s\n", strerrorname_np(-error));
		return 1;
	}
	atomicio_file_get_stats(crowd.library.file, &stats, sizeof(stats));
	printf("ok=%llu again=%llu broken=%llu poisoned=%llu refused=%llu other=%llu last=%d "
	       "retries=%llu\n",
	       crowd.ok, crowd.again, crowd.broken, crowd.poisoned, crowd.refused, crowd.other,
	       crowd.last_other, (unsigned long long)stats.retries);
	library_close(&crowd.library);
	return 0;
}
