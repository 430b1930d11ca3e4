/* SPDX-License-Identifier: MIT */
/*
 * The half of the fake system table for filesystem, process and machine.
 *
 * Flow: only fake_sys.c includes this file, and puts the functions into its table.
 */
#ifndef FAKE_MACHINE_H
#define FAKE_MACHINE_H

#include "fake_sys.h"

/* Count a call; its error (FS3), or `result`. */
int fake_answer(int result);

int fake_fs_magic(int fd, uint32_t *magic);
int fake_mount_flags(int fd, uint64_t *flags);
int fake_fs_uuid(int fd, uint8_t uuid[16]);
ssize_t fake_readlink(const char *path, char *buffer, size_t size);
int fake_list(const char *path, struct sys_list *out);
int fake_identify(const char *device, uint32_t major, uint32_t minor, struct sys_identity *out);
int fake_release(char *buffer, size_t size);
int fake_file_size_limit(uint64_t *limit);
int fake_populate(const void *start, size_t length);
void fake_sleep_us(uint32_t microseconds);
int fake_random(void *buffer, size_t length);
void *fake_allocate(size_t alignment, size_t size);
void fake_release_memory(void *memory);

#endif /* FAKE_MACHINE_H */
