/* SPDX-License-Identifier: MIT */
/* Faults: the table of faults.c, and the makers in fault_*.c (matrix.h). */
#ifndef MATRIX_FAULTS_H
#define MATRIX_FAULTS_H

#include <stdatomic.h>
#include <stdbool.h>

extern atomic_bool fault_has_ended; /* those beside stop */

/* The fault is not possible here. */
void fault_not_here(bool fails);

void fault_readers(int fd);
void fault_mapper(int fd);
void fault_signals(int fd);
void fault_cancelled(int fd);
void fault_forked(int fd);
void fault_no_proc(void);
void fault_no_sys(void);
void fault_nobody(int fd);
void fault_limit_size(int fd);
void fault_limit_files(void);
void fault_limit_files_later(int fd);
void fault_limit_locked(void);
void fault_refused_call(void);
void fault_refused_later(int fd);
void fault_read_only(void);
void fault_aborted(int fd);
void fault_writable(void);
void fault_append_set(int fd);
void fault_append_cleared(int fd);
void fault_direct_set(int fd);
void fault_direct_cleared(int fd);
void fault_dsync_set(int fd);
void fault_dsync_cleared(int fd);
void fault_inode_sync(int fd);
void fault_inode_append(int fd);
void fault_inode_immutable(int fd);
void fault_inode_journal(int fd);
void fault_inode_plain(void);
void fault_write_eio(int fd);
void fault_write_enospc(int fd);
void fault_write_einval(int fd);
void fault_write_tear(int fd);
void fault_write_slow(int fd);
void fault_flush_eio(int fd);
void fault_flush_eagain(int fd);
void fault_write_erofs(int fd);
void fault_write_eintr(int fd);
void fault_write_hang(int fd);
void fault_flush_enospc(int fd);
void fault_flush_eintr(int fd);
void fault_flush_einval(int fd);
void fault_flush_slow(int fd);
void fault_flush_hang(int fd);
void fault_flush_drop(int fd);
void fault_back_eio(int fd);
void fault_back_enospc(int fd);
void fault_back_einval(int fd);

#endif /* MATRIX_FAULTS_H */
