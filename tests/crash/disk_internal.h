/* SPDX-License-Identifier: MIT */
/*
 * Between disk.c (the state), disk_sys.c (the calls) and disk_aio.c (requests in the air).
 */
#ifndef CRASH_DISK_INTERNAL_H
#define CRASH_DISK_INTERNAL_H

#include "disk.h"

/* Make a file's pending writes durable, from the index `from` on, up to the first `before` writes,
 * except lost ones. */
void disk_sync(struct disk_state *state, uint32_t file, uint32_t from, uint32_t before);
/* From `from` on, no sync makes the writes durable. */
void disk_lose(struct disk_state *state, uint32_t file, uint32_t from);
/* Put the sectors of `mask` of a pending write into an image. */
void disk_put(uint8_t *image, const struct disk_state *state, const struct disk_pending *pending,
	      uint64_t mask);
/* Forget pending writes that cannot change anything any more. */
void disk_compact(struct disk_state *state);
void disk_write(struct disk_state *state, uint32_t file, uint64_t offset, const uint8_t *data,
		uint64_t length, bool untorn);

#define DISK_OWN_FIRST 18 /* the first descriptor opened by a process itself */

/* disk_sys.c */

struct disk_description *disk_opened(int fd);
/* A sync of all earlier writes; returns its result. */
int disk_ends_sync(int fd, uint32_t before, bool fails);

/* disk_cache.c */

/* Does the cache hold clean bytes here that the disk lacks? */
bool disk_cache_lies(uint32_t file, uint64_t offset, uint64_t length);
/* The bytes of a file on the disk itself, which a cut would keep. */
void disk_read_direct(uint32_t file, uint8_t *buffer, uint64_t length, uint64_t offset);
int disk_drop_cache(int fd, uint64_t offset, uint64_t length);
int disk_cachestat(int fd, uint64_t offset, uint64_t length, struct sys_cachestat *out);

/* disk_call.c */

/* Is the file full before the end of this write? */
bool disk_has_no_room(uint32_t file, uint64_t end);

/* Bytes that wait for write-back are lost, and the next syncing call receives the error. */
void disk_lose_writeback(uint32_t file);
/* Count a write or a sync; true: the fault of this run hits the call. */
bool disk_enter_call(uint32_t *call);
/* Apply the fault to this write; returns the error. */
int disk_failed_write(uint32_t file, const uint8_t *bytes, uint64_t length, uint64_t offset,
		      int flags);
/* Crash, in this call. */
void disk_stop(void);

/* Has the fault of this run hit the process?  Then the process is dead after the call; requests in
 * the air are made, and the fault gives the part made of a write (a sync: 2). */
bool disk_is_dying(uint32_t call);
void disk_die(void);

/* disk_answers.c */
int disk_fs_magic(int fd, uint32_t *magic);
int disk_mount_flags(int fd, uint64_t *flags);
int disk_inode_flags(int fd, uint32_t *flags);
int disk_keep_blocks(int fd, uint64_t offset, uint64_t length);
int disk_seals(int fd);
int disk_seek(int fd, uint64_t offset);
int disk_file_size_limit(uint64_t *limit);
int disk_populate(const void *start, size_t length);
void disk_sleep_us(uint32_t microseconds);
int disk_random(void *buffer, size_t length);
int disk_getpid(void);

/* disk_share.c */
void disk_share_close(int fd);
int disk_flock(int fd, bool shared);
ssize_t disk_pwrite(int fd, const void *buffer, size_t length, uint64_t offset);
extern const struct sys_share_calls disk_share;

/* disk_aio.c */

/* The process is gone, and all its requests in the air are made. */
void disk_aio_exit(void);

#define DISK_GATHER 32768u /* the longest write of a home */
uint64_t disk_gather(const struct iovec *vector, uint32_t count, uint8_t *bytes);
void disk_aio_boot(void);
bool disk_is_in_air(int fd);
/* The machine stops: what is in the air is pending. */
void disk_land_all(void);
extern const struct sys_aio_calls disk_aio;

#endif /* CRASH_DISK_INTERNAL_H */
