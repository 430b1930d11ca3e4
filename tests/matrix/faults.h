/* SPDX-License-Identifier: MIT */
/* Faults: what faults.c has in its table and fault_kinds.c makes (matrix.h). */
#ifndef MATRIX_FAULTS_H
#define MATRIX_FAULTS_H

#include <stdatomic.h>
#include <stdbool.h>

extern atomic_bool fault_has_ended; /* those beside stop */

/* This fault cannot be had here. */
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
void fault_limit_files(int fd);
void fault_limit_locked(void);
void fault_no_pwritev2(void);
void fault_no_statx(void);
void fault_no_fdatasync(int fd);
void fault_no_ring(void);
void fault_write_eio(int fd);
void fault_write_enospc(int fd);
void fault_write_einval(int fd);
void fault_write_tear(int fd);
void fault_write_slow(int fd);
void fault_flush_eio(int fd);
void fault_flush_eagain(int fd);

#endif /* MATRIX_FAULTS_H */
