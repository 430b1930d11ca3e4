/* SPDX-License-Identifier: MIT */
/*
 * A writer of stamped pages, and the checker that tells torn and lost ones after a power cut.
 *
 * Flow: the crash test runs `write` in the guest until the machine is killed, then `check` on what
 * tearing_disk left, with the record of the writes that were acknowledged as durable.
 *
 *	pages write FILE PAGES SIZE SEED ACKS plain|dsync|atomic	until it is killed
 *	pages check FILE PAGES SIZE [ACKS]		prints: pages= torn= lost= newest=
 *
 * Rules:
 * P1 every sector carries its page, its place in the page, and the sequence number of the write.
 * P2 `plain` is durable by an fdatasync after every 64th write; `dsync` and `atomic` by
 *    RWF_DSYNC.  A write is recorded in ACKS only after it is durable, each record with O_SYNC.
 * P3 torn: the sectors of one page disagree.  Lost: a page is older than its last record.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define SECTOR 512U
#define PAGE_MAX (1U << 20)
#define PAGES_MAX (1U << 16)
#define BATCH 64U
#define MAGIC 0x67617473U
#define PAGES_RWF_ATOMIC 0x40 /* RWF_ATOMIC, not in the headers of Debian 12 */

struct stamp {
	uint32_t magic;
	uint32_t page;
	uint32_t sector;
	uint32_t filler;
	uint64_t sequence;
};

struct ack {
	uint64_t page;
	uint64_t sequence;
};

static void die(const char *what)
{
	fprintf(stderr, "pages: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void stamp_page(char *buffer, uint32_t size, uint32_t page, uint64_t sequence)
{
	for (uint32_t at = 0; at < size; at += SECTOR) {
		struct stamp stamp = {MAGIC, page, at / SECTOR, 0, sequence};

		memset(buffer + at, (int)(sequence & 0xff), SECTOR);
		memcpy(buffer + at, &stamp, sizeof(stamp));
	}
}

static uint64_t step(uint64_t *random)
{
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return *random;
}

struct writer {
	int fd, acks;
	uint32_t pages, size;
	int flags;
	bool batched;
	uint64_t random, sequence;
	char *buffer;
};

static void write_page(struct writer *writer, uint32_t page)
{
	struct iovec vector = {writer->buffer, writer->size};
	ssize_t result;

	stamp_page(writer->buffer, writer->size, page, writer->sequence);
	result = pwritev2(writer->fd, &vector, 1, (off_t)page * writer->size, writer->flags);
	if (result != (ssize_t)writer->size)
		die("write");
}

static void write_forever(struct writer *writer)
{
	struct ack acks[BATCH];

	for (;;) {
		uint32_t count = writer->batched ? BATCH : 1;

		for (uint32_t i = 0; i < count; i++) {
			uint32_t page = (uint32_t)(step(&writer->random) % writer->pages);

			acks[i] = (struct ack){page, ++writer->sequence};
			write_page(writer, page);
		}
		if (writer->batched && fdatasync(writer->fd) != 0)
			die("fdatasync");
		if (write(writer->acks, acks, count * sizeof(acks[0])) !=
		    (ssize_t)(count * sizeof(acks[0])))
			die("acks");
	}
}

static int write_command(char **argv)
{
	struct writer writer = {0};

	writer.fd = open(argv[2], O_RDWR | O_DIRECT);
	writer.pages = (uint32_t)strtoul(argv[3], NULL, 0);
	writer.size = (uint32_t)strtoul(argv[4], NULL, 0);
	writer.random = strtoull(argv[5], NULL, 0) | 1;
	writer.acks = open(argv[6], O_WRONLY | O_CREAT | O_APPEND | O_SYNC, 0600);
	writer.batched = strcmp(argv[7], "plain") == 0;
	if (strcmp(argv[7], "dsync") == 0)
		writer.flags = RWF_DSYNC;
	else if (strcmp(argv[7], "atomic") == 0)
		writer.flags = RWF_DSYNC | PAGES_RWF_ATOMIC;
	else if (!writer.batched)
		return 2;
	if (writer.fd < 0 || writer.acks < 0 || writer.size > PAGE_MAX || writer.pages == 0 ||
	    posix_memalign((void **)&writer.buffer, 4096, writer.size) != 0)
		die(argv[2]);
	for (uint32_t page = 0; page < writer.pages; page++)
		write_page(&writer, page);
	if (fsync(writer.fd) != 0)
		die("fsync");
	if (write(writer.acks, &(struct ack){0, 0}, sizeof(struct ack)) < 0)
		die("acks");
	write_forever(&writer);
	return 1;
}

/* The sequence number of a page, or UINT64_MAX: it is torn. */
static uint64_t read_page(const char *buffer, uint32_t size, uint32_t page)
{
	struct stamp first, stamp;

	memcpy(&first, buffer, sizeof(first));
	for (uint32_t at = 0; at < size; at += SECTOR) {
		memcpy(&stamp, buffer + at, sizeof(stamp));
		if (stamp.magic != MAGIC || stamp.page != page || stamp.sector != at / SECTOR ||
		    stamp.sequence != first.sequence)
			return UINT64_MAX;
	}
	return first.sequence;
}

static void read_acks(const char *path, uint64_t *known)
{
	struct ack ack;
	FILE *file = fopen(path, "re");

	if (!file)
		die(path);
	while (fread(&ack, sizeof(ack), 1, file) == 1) {
		if (ack.page < PAGES_MAX && ack.sequence > known[ack.page])
			known[ack.page] = ack.sequence;
	}
	fclose(file);
}

static int check_command(int argc, char **argv)
{
	static uint64_t known[PAGES_MAX];
	uint32_t pages = (uint32_t)strtoul(argv[3], NULL, 0);
	uint32_t size = (uint32_t)strtoul(argv[4], NULL, 0);
	uint64_t torn = 0, lost = 0, newest = 0;
	int fd = open(argv[2], O_RDONLY);
	char *buffer = malloc(size);

	if (fd < 0 || !buffer || pages > PAGES_MAX)
		die(argv[2]);
	if (argc > 5)
		read_acks(argv[5], known);
	for (uint32_t page = 0; page < pages; page++) {
		uint64_t sequence;

		if (pread(fd, buffer, size, (off_t)page * size) != (ssize_t)size)
			die("read");
		sequence = read_page(buffer, size, page);
		if (sequence == UINT64_MAX) {
			torn++;
			continue;
		}
		lost += sequence < known[page];
		newest = sequence > newest ? sequence : newest;
	}
	printf("pages=%u torn=%llu lost=%llu newest=%llu\n", pages, (unsigned long long)torn,
	       (unsigned long long)lost, (unsigned long long)newest);
	free(buffer);
	close(fd);
	return torn != 0 || lost != 0;
}

int main(int argc, char **argv)
{
	if (argc == 8 && strcmp(argv[1], "write") == 0)
		return write_command(argv);
	if (argc >= 5 && strcmp(argv[1], "check") == 0)
		return check_command(argc, argv);
	fprintf(stderr, "pages: wrong usage; see the head of pages.c\n");
	return 2;
}
