/* SPDX-License-Identifier: MIT */
/* The page cache of fake_disk.c. */
#ifndef FAKE_DISK_CACHE_H
#define FAKE_DISK_CACHE_H

#include "fake_disk.h"

#define DISK_FD_MAX 256

void disk_forget_losses(void);
/* A description was opened now; or syncs: the error of a lost page, once. */
void disk_opened_now(int fd);
int disk_tell(int fd);

/* An untorn write to a raw device: -EAGAIN, or 0 with `buffered` telling how it goes. */
int disk_enter_device(int flags, bool *buffered);

/* Entries of the table. */
int disk_write_back(int fd, uint64_t offset, uint64_t length);
int disk_start_write_back(int fd, uint64_t offset, uint64_t length);
int disk_drop_cache(int fd, uint64_t offset, uint64_t length);
int disk_cachestat(int fd, uint64_t offset, uint64_t length, struct sys_cachestat *out);

#endif /* FAKE_DISK_CACHE_H */
