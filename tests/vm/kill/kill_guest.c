/* SPDX-License-Identifier: MIT */
/*
 * The guest of a crash test, from a machine that has seen no disk to writers on all of them.
 *
 * Flow: kill_init starts the guest before the machine is saved.  The guest asks the channel's disk
 * for a command until the answer comes, after the machine was restored.  The guest then brings the
 * other disks up: nothing in memory is older than the cut.
 */
#define _GNU_SOURCE
#include "kill_guest.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHANNEL "/dev/vda"
#define RECORDS_AT 4096

struct kill_command kill_command;
static int channel;

void *kill_memory(void)
{
	void *memory;

	if (posix_memalign(&memory, 4096, KILL_PAGE_MAX) != 0)
		abort();
	return memory;
}

void kill_tell(const struct kill_record *record)
{
	size_t length = record->kind == KILL_FOUND ? sizeof(*record) : KILL_SECTOR;
	char *memory = kill_memory();

	memcpy(memory, record, length);
	if (pwrite(channel, memory, length, RECORDS_AT) != (ssize_t)length)
		fprintf(stderr, "kill_guest: no record: %s\n", strerror(errno));
	free(memory);
}

_Noreturn void kill_wrong(const struct kill_target *target, const char *what, int error)
{
	struct kill_record record = {.magic = KILL_MAGIC, .kind = KILL_WRONG};

	snprintf(record.text, sizeof(record.text), "%s: %s: %s", target ? target->name : "guest",
		 what, strerror(error));
	fprintf(stderr, "kill_guest: %s\n", record.text);
	kill_tell(&record);
	for (;;)
		pause();
}

static void wait_for_command(void)
{
	char *memory = kill_memory();

	channel = open(CHANNEL, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (channel < 0) {
		perror(CHANNEL);
		exit(1);
	}
	puts("kill_guest: ready");
	fflush(stdout);
	do {
		usleep(20000);
		if (pread(channel, memory, KILL_SECTOR, 0) == KILL_SECTOR)
			memcpy(&kill_command, memory, sizeof(kill_command));
	} while (kill_command.magic != KILL_MAGIC);
	free(memory);
}

static int put_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int error = fd < 0 || write(fd, text, strlen(text)) < 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	return error;
}

/* All restored machines would draw the same random numbers. */
static void stir(void)
{
	int fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, &kill_command, sizeof(kill_command)) < 0 ||
	    ioctl(fd, RNDRESEEDCRNG) != 0)
		kill_wrong(NULL, "urandom", errno);
	close(fd);
}

/* The disk must have a write cache, or no flush is ever sent to it. */
static void check_cache(const char *node)
{
	char path[96], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), "/sys/block/%s/queue/write_cache", node);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		kill_wrong(NULL, path, errno);
	if (strcmp(text, "write back\n") != 0)
		kill_wrong(NULL, "the disk has no write cache", EINVAL);
	close(fd);
}

static void *run_disk(void *argument)
{
	const uint32_t disk = (uint32_t)(uintptr_t)argument;
	static struct kill_files files[KILL_TARGETS];
	struct kill_record record = {.magic = KILL_MAGIC, .disk = disk};
	char node[16], device[32], directory[16];

	snprintf(node, sizeof(node), "vd%c", 'b' + (int)disk);
	snprintf(device, sizeof(device), "/dev/%s", node);
	snprintf(directory, sizeof(directory), "/disk%u", disk);
	check_cache(node);
	mkdir(directory, 0700);
	if (mount(device, directory, kill_filesystems[disk], 0, NULL) != 0)
		kill_wrong(NULL, disk == 0 ? "mount of ext4" : "mount of XFS", errno);
	for (uint32_t i = 0; i < KILL_TARGETS; i++) {
		if (kill_targets[i].disk == disk && kill_command.fresh & 1U << disk)
			kill_make(&kill_targets[i], kill_command.life[disk], directory);
	}
	if (kill_command.fresh & 1U << disk) {
		sync();
		record.kind = KILL_MADE;
		kill_tell(&record);
	}
	for (uint32_t i = 0; i < KILL_TARGETS; i++) {
		if (kill_targets[i].disk != disk)
			continue;
		files[i].target = &kill_targets[i];
		files[i].life = kill_command.life[disk];
		kill_open(&files[i], directory);
	}
	record.kind = KILL_BEGUN;
	kill_tell(&record);
	for (uint32_t i = 0; i < KILL_TARGETS && !kill_command.check; i++) {
		if (kill_targets[i].disk == disk)
			kill_write(&files[i]);
	}
	return NULL;
}

int main(void)
{
	pthread_t thread;

	wait_for_command();
	stir();
	for (uint32_t disk = 0; disk < kill_command.disks; disk++) {
		char name[24];
		int error;

		snprintf(name, sizeof(name), "virtio%u", disk + 1);
		error = put_text("/sys/bus/virtio/drivers/virtio_blk/bind", name);
		if (error)
			kill_wrong(NULL, name, error);
		error = pthread_create(&thread, NULL, run_disk, (void *)(uintptr_t)disk);
		if (error)
			kill_wrong(NULL, "thread", error);
	}
	for (;;)
		pause();
}
