/* SPDX-License-Identifier: MIT */
/*
 * The prefix of the library's internal names.
 *
 * Flow: the build includes it first in every file of lib/, and of the tests that see the inside.
 *
 * N1 in the archive every global name begins with atomicio_: the source says journal_commit, the
 *    linker sees atomicio__journal_commit.  An engine may have a journal_commit, too.
 * N2 one line for each global name that is not in libatomicio.map, sorted.  tests/abi/names.sh
 *    says by name what is missing or gone; with --write it makes the list anew.
 */
#ifndef LIBATOMICIO_NAMES_H
#define LIBATOMICIO_NAMES_H

#define journal_attach atomicio__journal_attach
#define journal_call atomicio__journal_call
#define journal_check_frame atomicio__journal_check_frame
#define journal_check_geometry atomicio__journal_check_geometry
#define journal_check_pages atomicio__journal_check_pages
#define journal_checkpoint atomicio__journal_checkpoint
#define journal_checkpoint_locked atomicio__journal_checkpoint_locked
#define journal_close_own atomicio__journal_close_own
#define journal_commit atomicio__journal_commit
#define journal_cover atomicio__journal_cover
#define journal_cover_all atomicio__journal_cover_all
#define journal_crc32c atomicio__journal_crc32c
#define journal_crc32c_table atomicio__journal_crc32c_table
#define journal_create atomicio__journal_create
#define journal_decode_header atomicio__journal_decode_header
#define journal_detach atomicio__journal_detach
#define journal_encode_frame atomicio__journal_encode_frame
#define journal_encode_header atomicio__journal_encode_header
#define journal_enter atomicio__journal_enter
#define journal_get_entry atomicio__journal_get_entry
#define journal_go_home atomicio__journal_go_home
#define journal_leave atomicio__journal_leave
#define journal_look_at atomicio__journal_look_at
#define journal_may_cover atomicio__journal_may_cover
#define journal_next_frame atomicio__journal_next_frame
#define journal_open atomicio__journal_open
#define journal_open_own atomicio__journal_open_own
#define journal_peek_frame atomicio__journal_peek_frame
#define journal_poison atomicio__journal_poison
#define journal_poison_if_live atomicio__journal_poison_if_live
#define journal_put_entry atomicio__journal_put_entry
#define journal_read_all atomicio__journal_read_all
#define journal_read_frame atomicio__journal_read_frame
#define journal_refused atomicio__journal_refused
#define journal_scan atomicio__journal_scan
#define journal_sync_failed atomicio__journal_sync_failed
#define journal_uncover_all atomicio__journal_uncover_all
#define journal_wake atomicio__journal_wake
#define journal_write_header atomicio__journal_write_header
#define journal_write_home atomicio__journal_write_home
#define probe_confirm atomicio__probe_confirm
#define probe_contents atomicio__probe_contents
#define probe_disk atomicio__probe_disk
#define probe_file atomicio__probe_file
#define probe_filesystem atomicio__probe_filesystem
#define probe_flags atomicio__probe_flags
#define probe_release atomicio__probe_release
#define probe_statx atomicio__probe_statx
#define probe_verdict atomicio__probe_verdict
#define sys_blkid_identify atomicio__sys_blkid_identify
#define sys_identify atomicio__sys_identify
#define sys_linux atomicio__sys_linux
#define sys_random_bytes atomicio__sys_random_bytes
#define sys_refuses_pwritev2 atomicio__sys_refuses_pwritev2
#define sys_ring_linux atomicio__sys_ring_linux
#define sys_stat atomicio__sys_stat
#define sys_write_at atomicio__sys_write_at
#define write_back_range atomicio__write_back_range
#define write_call atomicio__write_call
#define write_classify atomicio__write_classify
#define write_count_done atomicio__write_count_done
#define write_decide atomicio__write_decide
#define write_device atomicio__write_device
#define write_device_after atomicio__write_device_after
#define write_device_before atomicio__write_device_before
#define write_device_rwf atomicio__write_device_rwf
#define write_doubt_space atomicio__write_doubt_space
#define write_entry_ready atomicio__write_entry_ready
#define write_entry_result atomicio__write_entry_result
#define write_entry_rwf atomicio__write_entry_rwf
#define write_fail atomicio__write_fail
#define write_fits_frame atomicio__write_fits_frame
#define write_fits_journal atomicio__write_fits_journal
#define write_fits_limits atomicio__write_fits_limits
#define write_fly atomicio__write_fly
#define write_interpret atomicio__write_interpret
#define write_journal atomicio__write_journal
#define write_journal_group atomicio__write_journal_group
#define write_journal_shape atomicio__write_journal_shape
#define write_kernel atomicio__write_kernel
#define write_misuse atomicio__write_misuse
#define write_open atomicio__write_open
#define write_plain atomicio__write_plain
#define write_poison atomicio__write_poison
#define write_precheck atomicio__write_precheck
#define write_queue_create atomicio__write_queue_create
#define write_queue_enter atomicio__write_queue_enter
#define write_queue_leave atomicio__write_queue_leave
#define write_queue_rest atomicio__write_queue_rest
#define write_queue_syncs atomicio__write_queue_syncs
#define write_retire_range atomicio__write_retire_range
#define write_route atomicio__write_route
#define write_run atomicio__write_run
#define write_rwf atomicio__write_rwf
#define write_shape atomicio__write_shape
#define write_shape_broken atomicio__write_shape_broken
#define write_sync_failed atomicio__write_sync_failed
#define write_until_done atomicio__write_until_done

#endif /* LIBATOMICIO_NAMES_H */
