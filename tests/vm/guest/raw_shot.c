/* SPDX-License-Identifier: MIT */
/*
 * One write: make the write, then print the bytes of the disk.
 *
 * Flow: from raw.c and raw_sweep.c.  The range and the pages around it are read before and after.
 */
#define _GNU_SOURCE
#include "raw.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define SEGMENTS_MAX 8U

/* No two sectors of any two seeds alike, no word zero: zeroes are somebody else's doing. */
void raw_fill(void *buffer, size_t length, uint64_t seed)
{
	uint64_t *word = buffer;

	for (size_t i = 0; i < length / sizeof(*word); i++)
		word[i] = (seed * 0x9e3779b97f4a7c15ULL + i * 0x100000001b3ULL) | 1;
}

uint64_t raw_seed(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
}

void raw_shot_init(struct raw_shot *shot, const char *path, uint64_t offset, uint64_t length)
{
	*shot = (struct raw_shot){
		.path = path,
		.offset = offset,
		.length = length,
		.open_flags = O_DIRECT,
		.rwf = RAW_RWF_ATOMIC,
		.segments = 1,
		.mapped = UINT64_MAX,
		.limit = UINT64_MAX,
		.fd = -1,
	};
}

const char *raw_result_name(int64_t result, char *buffer, size_t size)
{
	if (result < 0 && strerrorname_np((int)-result))
		snprintf(buffer, size, "-%s", strerrorname_np((int)-result));
	else
		snprintf(buffer, size, "%lld", (long long)result);
	return buffer;
}

static int64_t submit_uring(const struct raw_shot *shot, int fd, const struct iovec *vector,
			    int64_t *link_result)
{
	struct io_uring ring;
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	int64_t result = -ENODATA;
	int error = io_uring_queue_init(4, &ring, 0);

	if (error)
		return error;
	if (shot->via == RAW_URING_FIXED)
		error = io_uring_register_buffers(&ring, vector, 1);
	sqe = io_uring_get_sqe(&ring);
	if (shot->via == RAW_URING_WRITEV)
		io_uring_prep_writev(sqe, fd, vector, shot->segments, shot->offset);
	else if (shot->via == RAW_URING_FIXED)
		io_uring_prep_write_fixed(sqe, fd, vector->iov_base, (unsigned)vector->iov_len,
					  shot->offset, 0);
	else
		io_uring_prep_write(sqe, fd, vector->iov_base, (unsigned)vector->iov_len,
				    shot->offset);
	sqe->rw_flags = shot->rwf;
	sqe->user_data = 1;
	if (shot->linked) {
		sqe->flags |= IOSQE_IO_LINK;
		sqe = io_uring_get_sqe(&ring);
		io_uring_prep_fsync(sqe, fd, 0);
		sqe->user_data = 2;
	}
	if (!error)
		error = io_uring_submit(&ring);
	for (uint32_t i = 0; error > 0 && i < 1 + shot->linked; i++) {
		if (io_uring_wait_cqe(&ring, &cqe) != 0)
			break;
		if (cqe->user_data == 1)
			result = cqe->res;
		else
			*link_result = cqe->res;
		io_uring_cqe_seen(&ring, cqe);
	}
	io_uring_queue_exit(&ring);
	return error < 0 ? error : result;
}

int64_t raw_submit(const struct raw_shot *shot, int fd, char *buffer, int64_t *link_result)
{
	struct iovec vector[SEGMENTS_MAX];
	uint32_t segments = shot->segments < SEGMENTS_MAX ? shot->segments : SEGMENTS_MAX;
	size_t part = shot->length / segments;
	ssize_t result;

	if (shot->submit)
		return shot->submit(shot->submit_context, shot, fd, buffer);
	for (uint32_t i = 0; i < segments; i++) {
		vector[i].iov_base = buffer + i * part;
		vector[i].iov_len = part;
	}
	if (shot->via != RAW_PWRITEV2)
		return submit_uring(shot, fd, vector, link_result);
	result = pwritev2(fd, vector, (int)segments, (off_t)shot->offset, shot->rwf);
	return result < 0 ? -errno : result;
}

/* A buffer that ends, where asked, in the middle: what lies behind gives a fault.
 * It stays reserved: a ring made later would otherwise be mapped there. */
static char *make_buffer(const struct raw_shot *shot, size_t *mapped_size)
{
	size_t size = (shot->length + shot->misalign + 2 * RAW_PAGE - 1) / RAW_PAGE * RAW_PAGE;
	char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
		return NULL;
	raw_fill(map, size, raw_seed());
	if (shot->mapped < size)
		mprotect(map + shot->mapped, size - shot->mapped, PROT_NONE);
	*mapped_size = size;
	return map;
}

static uint64_t cached_pages(int fd, uint64_t start, uint64_t length)
{
	static unsigned char vector[16384];
	uint64_t pages = length / RAW_PAGE, count = 0;
	void *map = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, (off_t)start);

	if (map == MAP_FAILED)
		return 0;
	if (pages <= sizeof(vector) && mincore(map, length, vector) == 0) {
		for (uint64_t i = 0; i < pages; i++)
			count += vector[i] & 1;
	}
	munmap(map, length);
	return count;
}

static void compare(const struct raw_shot *shot, struct raw_outcome *outcome, const char *before,
		    const char *after, const char *buffer, uint64_t start, uint64_t length)
{
	static const char zeroes[RAW_SECTOR];

	for (uint64_t at = 0; at < length; at += RAW_SECTOR) {
		uint64_t place = start + at;
		bool same = memcmp(before + at, after + at, RAW_SECTOR) == 0;

		if (place < shot->offset || place + RAW_SECTOR > shot->offset + shot->length)
			outcome->outside += !same;
		else if (same)
			outcome->kept++;
		else if (place - shot->offset + RAW_SECTOR <= shot->mapped &&
			 memcmp(buffer + (place - shot->offset), after + at, RAW_SECTOR) == 0)
			outcome->new_++;
		else if (memcmp(after + at, zeroes, RAW_SECTOR) == 0)
			outcome->zeroed++;
		else
			outcome->other++;
	}
}

static int64_t shoot_limited(const struct raw_shot *shot, int fd, char *buffer,
			     struct raw_outcome *outcome)
{
	struct rlimit limit, old;
	int64_t result;

	getrlimit(RLIMIT_FSIZE, &old);
	limit = old;
	if (shot->limit != UINT64_MAX) {
		signal(SIGXFSZ, SIG_IGN);
		limit.rlim_cur = shot->limit;
		setrlimit(RLIMIT_FSIZE, &limit);
	}
	result = raw_submit(shot, fd, buffer, &outcome->link_result);
	setrlimit(RLIMIT_FSIZE, &old);
	return result;
}

static int64_t file_size(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && S_ISREG(status.st_mode) ? status.st_size : -1;
}

/* Memory for a look at the disk, kept for the next: fresh pages cost more here than the write. */
struct look {
	char *bytes;
	size_t size;
};

static bool look_fits(struct look *look, size_t size)
{
	if (look->size < size) {
		free(look->bytes);
		look->size = 0;
		if (posix_memalign((void **)&look->bytes, RAW_PAGE, size))
			look->bytes = NULL;
		else
			look->size = size;
	}
	if (look->bytes)
		memset(look->bytes, 0, size);
	return look->bytes != NULL;
}

/* Also looks at the page before and the page after the range. */
int raw_shoot(const struct raw_shot *shot, struct raw_outcome *outcome)
{
	uint64_t start = shot->offset / RAW_PAGE * RAW_PAGE;
	uint64_t end = (shot->offset + shot->length + 2 * RAW_PAGE - 1) / RAW_PAGE * RAW_PAGE;
	static struct look before, after;
	char *buffer;
	size_t mapped_size = 0;
	int error = 0, fd, look;

	start -= start >= RAW_PAGE ? RAW_PAGE : 0;
	memset(outcome, 0, sizeof(*outcome));
	fd = shot->fd >= 0 ? shot->fd : open(shot->path, O_RDWR | shot->open_flags);
	if (fd < 0)
		return -errno;
	look = open(shot->path, O_RDONLY | O_DIRECT);
	if (look < 0)
		look = open(shot->path, O_RDONLY);
	buffer = make_buffer(shot, &mapped_size);
	if (look < 0 || !buffer || !look_fits(&before, end - start) ||
	    !look_fits(&after, end - start)) {
		error = -ENOMEM;
		goto out;
	}
	if (pread(look, before.bytes, end - start, (off_t)start) < 0)
		outcome->unreadable = errno;
	posix_fadvise(look, 0, 0, POSIX_FADV_DONTNEED);
	outcome->size_before = file_size(fd);
	if (shot->warm) {
		struct raw_shot first = *shot;

		first.rwf &= ~RAW_RWF_NOWAIT;
		raw_submit(&first, fd, buffer + shot->misalign, &outcome->link_result);
	}
	outcome->result = shoot_limited(shot, fd, buffer + shot->misalign, outcome);
	outcome->size_after = file_size(fd);
	outcome->cached = cached_pages(fd, start, end - start);
	if (pread(look, after.bytes, end - start, (off_t)start) < 0)
		outcome->unreadable = errno;
	compare(shot, outcome, before.bytes, after.bytes, buffer + shot->misalign, start,
		end - start);
out:
	if (buffer)
		munmap(buffer, mapped_size);
	if (look >= 0)
		close(look);
	if (shot->fd < 0)
		close(fd);
	return error;
}

void raw_outcome_print(FILE *out, const struct raw_outcome *outcome)
{
	char name[32];

	fprintf(out, "result=%s new=%llu kept=%llu zeroed=%llu other=%llu outside=%llu cached=%llu",
		raw_result_name(outcome->result, name, sizeof(name)),
		(unsigned long long)outcome->new_, (unsigned long long)outcome->kept,
		(unsigned long long)outcome->zeroed, (unsigned long long)outcome->other,
		(unsigned long long)outcome->outside, (unsigned long long)outcome->cached);
	if (outcome->size_before >= 0)
		fprintf(out, " size=%lld>%lld", (long long)outcome->size_before,
			(long long)outcome->size_after);
	if (outcome->unreadable)
		fprintf(out, " unreadable=%s",
			raw_result_name(-outcome->unreadable, name, sizeof(name)));
	if (outcome->link_result)
		fprintf(out, " link=%s", raw_result_name(outcome->link_result, name, sizeof(name)));
	fputc('\n', out);
}

int raw_run(const char *name, const struct raw_command *commands, size_t count, int argc,
	    char **argv)
{
	int status = 2;

	for (size_t i = 0; argc > 1 && i < count; i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			status = commands[i].run(argc, argv);
	}
	if (status == 2)
		fprintf(stderr, "%s: wrong usage; see the head of %s.c\n", name, name);
	return status;
}
