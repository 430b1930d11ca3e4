/* SPDX-License-Identifier: MIT */
/*
 * A disk that loses and tears unflushed data: an NBD server for one client on a unix socket.
 *
 * Flow: the crash test starts the disk on an image, and QEMU attaches the disk (driver=nbd).  When
 * QEMU is killed, the disk decides the result of a power cut, writes the result to the image, and
 * ends.
 *
 *	tearing_disk SOCKET IMAGE SEED [lie]
 *
 * Rules:
 * TD1 a write without FUA is kept in memory; the image has only flushed or FUA data.
 * TD2 a flush, and a clean disconnect, bring every write to the image, in order.
 * TD3 at the cut (the client is gone without a disconnect, or SIGUSR1) each write that is neither
 *     flushed nor acknowledged as FUA is, by the seed: lost, kept, or torn, which keeps a random
 *     half of the write.  In order.  Writes of the test and of the library, known by their magic
 *     numbers, tear at 512 bytes.  All other writes tear at 4 KiB, aligned: ext4 and XFS count on
 *     whole blocks.
 * TD4 a sector that a later FUA write made durable never goes back: older cached writes lose the
 *     sector.
 * TD5 more than CACHE_MAX in memory: the oldest write goes to the image, as in a disk's own cache.
 * TD6 a write whose data had not arrived whole is not applied: its command never reached the disk.
 * TD7 a flush takes up to 8 ms; a client that is gone before the end gets no flush.
 * TD8 `lie`, for a test of the tests: a flush leaves out the writes that tear at 512 bytes.
 */
#define _GNU_SOURCE
#include "kill.h"
#include "nbd_server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR 512U
#define BLOCK 4096U
#define CACHE_MAX (64U << 20)

/* One write that is not on the image yet; alive[i]: sector i has not been superseded (TD4). */
struct pending {
	struct pending *next;
	uint64_t offset;
	uint32_t length;
	bool *alive;
	bool ours; /* some of it tears at 512 bytes */
	char *data;
};

struct disk {
	int image;
	uint64_t size;
	char *now; /* the reader's view: the image with every write applied, in private memory */
	struct pending *first, **last;
	uint64_t cached; /* bytes pending */
	uint64_t random;
	bool lies;
	uint64_t writes, flushes, fua, evicted;
};

static volatile sig_atomic_t cut;

static void on_cut(int number)
{
	(void)number;
	cut = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "tearing_disk: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void to_image(struct disk *disk, const char *data, size_t length, uint64_t offset)
{
	if (pwrite(disk->image, data, length, (off_t)offset) != (ssize_t)length)
		die("image");
}

static void pending_free(struct disk *disk, struct pending *pending)
{
	disk->cached -= pending->length;
	free(pending->alive);
	free(pending->data);
	free(pending);
}

/* Does the 4 KiB block at this address begin like a write of the test or the library? */
static bool block_is_ours(const struct pending *pending, uint64_t address)
{
	static const uint32_t stamp = KILL_MAGIC;
	const char *data = pending->data + (address - pending->offset);

	return address >= pending->offset && address < pending->offset + pending->length &&
	       (memcmp(data, &stamp, sizeof(stamp)) == 0 || memcmp(data, "ATFR", 4) == 0 ||
		memcmp(data, "libatomicio-jrnl", 16) == 0);
}

static bool has_ours(const struct pending *pending)
{
	for (uint64_t at = pending->offset / BLOCK * BLOCK; at < pending->offset + pending->length;
	     at += BLOCK) {
		if (block_is_ours(pending, at))
			return true;
	}
	return false;
}

/* Bring a part of one write, chosen with `chance` percent, to the image; returns its sectors. */
static uint32_t settle(struct disk *disk, const struct pending *pending, uint32_t percent)
{
	uint32_t kept = 0;
	bool keep = false;

	for (uint32_t i = 0; i < pending->length / SECTOR; i++) {
		uint64_t at = pending->offset + i * SECTOR;

		/* A new choice at each block, and in our blocks at each sector (TD3). */
		if (i == 0 || at % BLOCK == 0 || block_is_ours(pending, at / BLOCK * BLOCK))
			keep = percent == 100 || kill_random(&disk->random) % 100 < percent;
		if (!keep)
			continue;
		kept++;
		if (pending->alive[i])
			to_image(disk, pending->data + i * SECTOR, SECTOR, at);
	}
	return kept;
}

static void settle_first(struct disk *disk)
{
	struct pending *first = disk->first;

	settle(disk, first, 100);
	disk->first = first->next;
	if (!disk->first)
		disk->last = &disk->first;
	pending_free(disk, first);
}

static void flush(struct disk *disk)
{
	struct pending **link = &disk->first;

	while (*link) {
		struct pending *pending = *link;

		if (disk->lies && pending->ours) {
			link = &pending->next;
			continue;
		}
		settle(disk, pending, 100);
		*link = pending->next;
		pending_free(disk, pending);
	}
	disk->last = link;
}

/* TD4: no older cached write may bring back the range of this durable write. */
static void supersede(struct disk *disk, uint64_t offset, uint32_t length)
{
	for (struct pending *p = disk->first; p; p = p->next) {
		for (uint32_t i = 0; i < p->length / SECTOR; i++) {
			uint64_t at = p->offset + i * SECTOR;

			if (at >= offset && at < offset + length)
				p->alive[i] = false;
		}
	}
}

static const char *on_read(void *context, uint64_t offset)
{
	const struct disk *disk = context;

	return disk->now + offset;
}

static uint32_t latency(void *context)
{
	struct disk *disk = context;

	return 500 + (uint32_t)(kill_random(&disk->random) % 7500);
}

static void on_flush(void *context)
{
	struct disk *disk = context;

	disk->flushes++;
	flush(disk);
}

static void on_write(void *context, uint64_t offset, uint32_t length, char *data, bool fua)
{
	struct disk *disk = context;
	struct pending *pending;

	disk->writes++;
	memcpy(disk->now + offset, data, length);
	if (fua) {
		disk->fua++;
		supersede(disk, offset, length);
		to_image(disk, data, length, offset);
		free(data);
		return;
	}
	pending = calloc(1, sizeof(*pending));
	if (!pending)
		die("memory");
	pending->alive = malloc(length / SECTOR);
	if (!pending->alive)
		die("memory");
	memset(pending->alive, 1, length / SECTOR);
	pending->offset = offset;
	pending->length = length;
	pending->data = data;
	pending->ours = has_ours(pending);
	*disk->last = pending;
	disk->last = &pending->next;
	disk->cached += length;
	while (disk->cached > CACHE_MAX) {
		disk->evicted++;
		settle_first(disk);
	}
}

/* TD3.  The printed line is the record of this cut. */
static void power_cut(struct disk *disk, uint64_t seed)
{
	uint64_t lost = 0, kept = 0, torn = 0, bytes = disk->cached;

	for (struct pending *p = disk->first; p; p = p->next) {
		uint64_t fate = kill_random(&disk->random) % 4;
		uint32_t sectors = p->length / SECTOR;
		uint32_t count = 0;

		if (fate == 1)
			count = settle(disk, p, 100);
		else if (fate >= 2)
			count = settle(disk, p, 50);
		if (count == 0)
			lost++;
		else if (count == sectors)
			kept++;
		else
			torn++;
	}
	printf("cut seed=%llu writes=%llu flushes=%llu fua=%llu evicted=%llu pending_bytes=%llu "
	       "lost=%llu kept=%llu torn=%llu\n",
	       (unsigned long long)seed, (unsigned long long)disk->writes,
	       (unsigned long long)disk->flushes, (unsigned long long)disk->fua,
	       (unsigned long long)disk->evicted, (unsigned long long)bytes,
	       (unsigned long long)lost, (unsigned long long)kept, (unsigned long long)torn);
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_cut}; /* no SA_RESTART: reads must end */
	struct disk disk = {0};
	struct nbd_disk nbd = {.context = &disk,
			       .read = on_read,
			       .write = on_write,
			       .flush = on_flush,
			       .latency = latency,
			       .stop = &cut};
	struct stat status;
	uint64_t seed;

	if (argc < 4) {
		fprintf(stderr, "usage: tearing_disk SOCKET IMAGE SEED [lie]\n");
		return 2;
	}
	sigaction(SIGUSR1, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGUSR1);
	seed = strtoull(argv[3], NULL, 0);
	disk.random = seed;
	disk.lies = argc > 4 && strcmp(argv[4], "lie") == 0;
	disk.last = &disk.first;
	disk.image = open(argv[2], O_RDWR | O_CLOEXEC);
	if (disk.image < 0 || fstat(disk.image, &status) != 0)
		die(argv[2]);
	disk.size = (uint64_t)status.st_size / SECTOR * SECTOR;
	disk.now = mmap(NULL, disk.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE,
			disk.image, 0);
	if (disk.now == MAP_FAILED)
		die("memory");
	nbd.size = disk.size;
	if (nbd_serve(argv[1], &nbd))
		flush(&disk);
	power_cut(&disk, seed);
	return fflush(stdout) != 0;
}
