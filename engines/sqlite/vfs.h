/* SPDX-License-Identifier: MIT */
/*
 * The SQLite extension: a VFS whose commits are one frame of a journal.
 *
 * Flow: register -> file (a database) and rollback (its rollback journal) -> pages, commit, spill,
 * guard -> node (what all connections of this process share) -> turn, share (the journal).
 * Only public headers of the library and of SQLite are used.
 *
 * The way of a transaction.  SQLite writes the old pages to the rollback journal, then the new
 * pages to the database, then calls xFileControl(SQLITE_FCNTL_SYNC), then deletes the rollback
 * journal.  With this VFS the rollback journal is memory, and the new pages are kept (pages.c).  At
 * FCNTL_SYNC the kept pages go as one group into DATABASE-atomicio, with one flush, and home
 * (commit.c).  A transaction that a group cannot hold is spilled (spill.c): written as SQLite does
 * without this VFS.
 *
 * Rules:
 * SQ1 one way at a time: a rollback journal with content is in the file system only while no frame
 *    of the database is live.  Frames are forgotten before the rollback journal's first byte.  The
 *    end of the rollback journal (deleted, truncated, overwritten with zeros) is durable before the
 *    next frame.
 * SQ2 a frame is live only while the header of the database is guarded (guard.h): an SQLite without
 *    this VFS refuses the file.  The guard is durable before the first frame, and is checked again
 *    before each frame.
 * SQ3 while the guard is on, only processes that have the journal open read or write.
 * SQ4 no descriptor of the VFS's own on the database is closed while a connection of this process
 *     has a lock: the close would drop the POSIX locks of the process.
 * SQ5 a durable frame is a commit: FCNTL_SYNC then returns SQLITE_OK, even if a home write fails.
 * SQ6 pages that were reported as not committed are not brought back by this process's recovery.
 * SQ7 bytes of the database read under a lock hold as long as the lock: the header from the
 *     EXCLUSIVE of a transaction's first page on, the size from SHARED on.  A writer of header or
 *     size needs EXCLUSIVE.  A commit reads each once.
 */
#ifndef ATOMICIO_SQLITE_VFS_H
#define ATOMICIO_SQLITE_VFS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <libatomicio/atomicio.h>
#include <libatomicio/journal.h>

#include <sqlite3ext.h>
#ifndef SQLITE_CORE
extern const sqlite3_api_routines *sqlite3_api;
#endif

/* The file's only id in its journal: a journal serves one database. */
#define VFS_FILE_ID 1

/* unixWrite() masks a length to 17 bits, so a longer call could write nothing (os_unix.c, 3.40). */
#define VFS_WRITE_MAX 65536

#define VFS_HEADER 100 /* bytes of a database's header */

/* The state shared by all connections of this process to one database.  Guarded by its mutex. */
struct vfs_node {
	struct vfs_node *next;
	dev_t device;
	ino_t inode;
	dev_t journal_device; /* of journal_fd */
	ino_t journal_inode;
	char *path;	     /* of the database */
	char *journal_path;  /* DATABASE-atomicio */
	char *rollback_path; /* DATABASE-journal */
	pthread_mutex_t mutex;
	uint64_t journal_size; /* to create it with */
	uint64_t group_max;    /* a transaction with more bytes is spilled */
	pid_t process;	       /* a child that inherits a connection only closes it */
	unsigned int users;    /* connections */
	unsigned int lockers;  /* that have a lock */
	int fd;		       /* of the database, our own description, -1: none yet */
	int *kept_fds;	       /* the earlier fd, to be closed without a lock */
	unsigned int kept;
	int journal_fd;			  /* -1: none */
	struct atomicio_journal *journal; /* NULL: not ours now */
	struct atomicio_file *file;
	bool is_settled;	/* no rollback journal of the past can come back (SQ1) */
	uint64_t spilled;	/* with is_settled: the journal's word, all spills and recoveries */
	atomic_bool has_failed; /* recover before anything else */
	uint64_t skip_from; /* with has_failed: frames from this number on were not acknowledged */
	uint64_t skip_word; /* the journal's word then: if changed, somebody has recovered */
	uint64_t commits, spills, recoveries; /* counters */
};

/* The pages of a transaction. */
struct vfs_page {
	struct vfs_page *next;
	uint64_t index; /* of the page: its offset is index * page_size */
	uint8_t bytes[];
};

struct vfs_pages {
	struct vfs_page **table;
	uint32_t slots;
	uint32_t count;
	uint32_t page_size; /* 0: nothing yet */
	uint64_t end;	    /* of the file, for this transaction */
	uint64_t start_end; /* of the file below it */
};

enum vfs_way {
	VFS_IDLE,     /* nothing was written in this transaction */
	VFS_BUFFERED, /* pages are kept, to be one group */
	VFS_PLAIN     /* SQLite's own way: pages go to the file at once */
};

struct vfs_rollback;

/* A database. */
struct vfs_file {
	sqlite3_file base;
	struct vfs_file *next;
	const char *name;
	const char *rollback_name; /* the pager's own pointer, as name is; NULL: none yet */
	struct vfs_node *node;	   /* NULL: every call is only passed on */
	struct vfs_rollback *rollback;
	struct vfs_pages pages;
	enum vfs_way way;
	int level;		    /* SQLITE_LOCK_* */
	uint8_t header[VFS_HEADER]; /* SQ7, with the way BUFFERED */
	uint64_t size;		    /* SQ7, if has_size, or with the way BUFFERED */
	bool has_size;
	bool is_bare; /* the transaction has no rollback journal to delete */
	bool is_readonly;
	bool has_turn;	  /* of the journal, begun by the connection */
	bool has_shm;	  /* WAL: the database is written by checkpoints only */
	bool is_unsynced; /* the plain way wrote something */
	sqlite3_file *real;
};

static inline const sqlite3_io_methods *vfs_real(const struct vfs_file *file)
{
	return file->real->pMethods;
}

/* Its rollback journal. */
struct vfs_rollback {
	sqlite3_file base;
	struct vfs_file *database;
	const char *name;
	int flags;
	bool is_open;	  /* real is */
	bool is_real;	  /* the content is in the file, not in memory */
	bool is_unsynced; /* real was written since its last sync */
	bool was_read;	  /* SQLite rolls back */
	bool was_played;  /* in memory: read since the last write */
	uint8_t *bytes;
	uint64_t size, capacity;
	sqlite3_file *real;
};

/* The VFS below: the default at the time of registration, "unix" as a rule. */
sqlite3_vfs *vfs_base(void);

/* file.c, file_write.c, rollback.c */
extern const sqlite3_io_methods vfs_file_methods;
extern const sqlite3_io_methods vfs_rollback_methods;
int vfs_file_write(sqlite3_file *base, const void *buffer, int length, sqlite3_int64 offset);
int vfs_file_truncate(sqlite3_file *base, sqlite3_int64 size);
int vfs_file_size(sqlite3_file *base, sqlite3_int64 *size);
int vfs_file_look(struct vfs_file *file); /* the header, with EXCLUSIVE */
int vfs_file_flush(struct vfs_file *file, const char *super_journal);
void vfs_file_end(struct vfs_file *file);

/* Put the content into the file, durably; from here on the rollback journal is a file. */
int vfs_rollback_make_real(struct vfs_rollback *rollback);
bool vfs_rollback_has_super(const struct vfs_rollback *rollback); /* in memory */
int vfs_rollback_sync(struct vfs_rollback *rollback);

/* pages.c.  All but the last return SQLITE_OK or SQLITE_NOMEM or what fill() returned. */
typedef int vfs_fill(void *context, uint8_t *bytes, uint32_t length, uint64_t offset);
void vfs_pages_begin(struct vfs_pages *pages, uint32_t page_size, uint64_t end);
int vfs_pages_put(struct vfs_pages *pages, const void *buffer, uint32_t length, uint64_t offset,
		  vfs_fill *fill, void *context);
int vfs_pages_truncate(struct vfs_pages *pages, uint64_t size, vfs_fill *fill, void *context);
void vfs_pages_read(const struct vfs_pages *pages, void *buffer, uint32_t length, uint64_t offset);
/* All pages in the order of their offsets, in memory that sqlite3_free() takes. */
struct vfs_page **vfs_pages_sorted(const struct vfs_pages *pages);
uint32_t vfs_pages_length(const struct vfs_pages *pages, const struct vfs_page *page);
void vfs_pages_clear(struct vfs_pages *pages);

/* commit.c: the kept pages as one group.  SQLITE_OK; SQLITE_TOOBIG: spill them; or an error. */
int vfs_commit(struct vfs_file *file);

/* spill.c */
int vfs_spill(struct vfs_file *file);
int vfs_plain_begin(struct vfs_file *file);
int vfs_plain_write(struct vfs_file *file, const void *buffer, uint32_t length, uint64_t offset);

/* node.c.  An int is 0 or a negative errno; of get(), one of SQLite's codes. */
int vfs_node_get(struct vfs_file *file, uint64_t journal_size);
void vfs_node_put(struct vfs_file *file);
struct vfs_file *vfs_node_find_file(const char *name); /* the very pointer */
bool vfs_node_is_bare(const char *rollback_name);      /* the very pointer, too */
bool vfs_node_has_name(const char *path, dev_t device, ino_t inode);
bool vfs_node_is_linked(const struct vfs_node *node); /* hard links */
int vfs_node_open_fd(struct vfs_node *node);
int vfs_node_keep_fd(struct vfs_node *node);	/* counts as closed */
void vfs_node_close_fds(struct vfs_node *node); /* with no lock of this process */
int vfs_node_sync_directory(const struct vfs_node *node);
int vfs_node_copy_rights(const struct vfs_node *node); /* of the database to its journal */

/* close.c: the last connection is gone. */
void vfs_close_node(struct vfs_node *node, sqlite3_file *real);
void vfs_close_fd(struct vfs_node *node); /* QN1 */

/* turn.c: who may read and write, and the library's journal */
int vfs_turn_enter(struct vfs_file *file, int before); /* the lock is had; and before? */
int vfs_turn_begin(struct vfs_file *file);   /* 0 or a negative errno; no more than once */
int vfs_turn_recover(struct vfs_file *file); /* 0 or a negative errno */
void vfs_turn_end(struct vfs_file *file);
int vfs_turn_forget(struct vfs_file *file);
void vfs_turn_check(struct vfs_node *node);
int vfs_turn_close(struct vfs_node *node, bool is_locked);

/* share.c: the library's journal.  0 or a negative errno. */
int vfs_share_open(struct vfs_node *node, bool is_guarded);
int vfs_share_open_anew(struct vfs_node *node); /* with no lock of this process */
int vfs_share_recover(struct vfs_node *node);	/* with EXCLUSIVE of this process */
int vfs_share_make_ready(struct vfs_node *node, bool is_guarded);
bool vfs_share_is_hot(const struct vfs_node *node);
bool vfs_share_is_unused(const struct vfs_node *node);
bool vfs_share_has_name(const struct vfs_node *node); /* the journal still has its name */
void vfs_share_close(struct vfs_node *node);

/* An errno of the library as SQLite's code; `otherwise` where SQLite has no code. */
int vfs_code(int error, int otherwise);

#endif /* ATOMICIO_SQLITE_VFS_H */
