/* SPDX-License-Identifier: MIT */
/*
 * The guard: a byte of the header that keeps an SQLite without this VFS out.
 *
 * An SQLite without this VFS knows nothing of frames.  After a crash such an SQLite would read old
 * pages whose new bytes are not home yet, and recovery would undo its writes.  While frames may be
 * live, byte 19, the file format's version for reading, is 0x81 instead of 1: SQLite reads no
 * format above 2, and says error 26, "file is not a database" (btree.c:lockBtree).  Byte 18, the
 * version for writing, stays 1: a connection that once sees a version above 2 never writes again.
 *
 * QG1 the byte and the change counter are changed by one write in one sector, under EXCLUSIVE: else
 *     a connection that has page 1 in its cache would go on, and wipe the guard.  The counter jumps
 *     by more than commits do: no connection mistakes a later page 1 for the page in its cache.
 *     The counter jumps when the guard goes, too.
 * QG2 only a database in the format 1, no WAL, is guarded.
 */
#ifndef ATOMICIO_SQLITE_GUARD_H
#define ATOMICIO_SQLITE_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#define GUARD_HEADER 100 /* bytes of the database's header */
#define GUARD_AT 18	 /* the two versions */
#define GUARD_LENGTH 2

enum guard_state {
	GUARD_NONE, /* no header that can be guarded */
	GUARD_OFF,
	GUARD_ON
};

/* The state in the header of GUARD_HEADER bytes. */
enum guard_state guard_read(const uint8_t *header);

/* Set the guard in a header, with its counters; or take it off. */
void guard_raise(uint8_t *header);
void guard_lower(uint8_t *header);

/* The counters that a guard moves, of another header. */
void guard_copy_counters(uint8_t *header, const uint8_t *from);

/*
 * Connections never see the guard.  `bytes` are `length` bytes of the database from
 * `offset` on.  Hide takes a guard out; show puts the guard in, where the format is 1.
 */
void guard_hide(uint8_t *bytes, uint64_t length, uint64_t offset);
void guard_show(uint8_t *bytes, uint64_t length, uint64_t offset);

/* Do these bytes hold the guard's? */
bool guard_covers(uint64_t length, uint64_t offset);

#endif /* ATOMICIO_SQLITE_GUARD_H */
