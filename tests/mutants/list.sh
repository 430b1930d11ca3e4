# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# The mutants: mutant NAME FILE SUITE SED (tests/mutants/run.sh).

# The probe.
mutant overlay_not_confirmed probe.c refuse 's/^\tprobe_confirm\(/\t(void)(/'
mutant queue_limits_ignored_on_xfs_without_hardware probe_verdict.c xfs \
	's/caps->queue_unit_max < block \|\| //; s/unit_max = smaller\(unit_max, caps->queue_unit_max\);$/;/'
mutant xfs_without_hardware_believed_as_the_manual_says probe_verdict.c xfs \
	's/caps->queue_unit_max < block \|\| //; s/= smaller\(unit_max, caps->(statx_unit_max_opt|queue_unit_max)\);$/= unit_max;/'

# The flag.
mutant flag_dropped_on_the_hot_path write.h trace \
	's/SYS_RWF_ATOMIC \| SYS_RWF_NOAPPEND/SYS_RWF_NOAPPEND/'
mutant flag_dropped_on_the_cold_path write_look.c inject \
	's/SYS_RWF_ATOMIC \| write_rwf/write_rwf/'
mutant noappend_dropped_on_the_hot_path write.h xfs \
	's/SYS_RWF_ATOMIC \| SYS_RWF_NOAPPEND/SYS_RWF_ATOMIC/'
mutant dsync_dropped_on_the_hot_path write.h trace \
	's/\(flags \& ATOMICIO_DSYNC\) << 1/(flags \& ATOMICIO_DSYNC) \& 0/'
mutant dsync_dropped_on_the_cold_path write.h trace 's/rwf \|= SYS_RWF_DSYNC/rwf |= 0/'

# The shape.
mutant largest_size_unchecked write.h xfs 's/length <= hot->unit_max \&\& //'
mutant smallest_size_unchecked write.h xfs 's/length >= hot->unit_min \&\&//'
mutant power_of_two_unchecked write.h xfs 's/ \&\& \(length \& \(length - 1\)\) == 0//'
mutant offset_unchecked write.h xfs 's/\(offset \& \(length - 1\)\) == 0 \&\&//'
mutant buffer_alignment_unchecked write.h xfs \
	's/\(\(uintptr_t\)buffer \& \(hot->memory_align - 1\)\) == 0 \&\&//'
mutant buffer_that_ends_inside_a_block_not_asked_for write_check.c xfs \
	's/may_be_cut\(request\) \&\& !/may_be_cut(request) \&\& 0 \&\& !/'
mutant buffer_alignment_to_the_block_unchecked write_open.c xfs \
	's/hot->memory_align < hot->unit_min/0/'
mutant block_larger_than_a_page_is_hot write_open.c xfs \
	's/ \|\| hot->unit_min > WRITE_PAGE_MIN//'
mutant largest_size_off_by_one write_validate.c xfs \
	's/length > limits->unit_max/length >= limits->unit_max/'
mutant bounce_limit_ignored write_validate.c xfs 's/request->length <= file->options.bounce_max/1/'
mutant file_size_limit_ignored write_check.c xfs 's/(error \&\&) end > limit/\1 0/; s/!error \&\& end > limit/0/'

# The result and the policy.
mutant short_return_taken_for_success write.c inject 's/result != \(int64_t\)length/result < 0/'
mutant short_return_classified_as_success write_classify.c inject \
	's/result >= 0 \&\& \(uint64_t\)result == length/result >= 0/'
mutant broken_does_not_poison write_policy.c inject 's/^(\t+)write_poison\(file\);/\1(void)file;/'
mutant failed_sync_does_not_poison loss.c loss 's/if \(loss->poison\)/if (0)/; s/if \(loss->lost\)/if (0)/'
mutant answer_not_masked write_policy.c xfs \
	's/answer \& failure.allowed \? answer : ATOMICIO_FAIL/answer/'
mutant retries_unbounded_by_one write_policy.c inject \
	's/retries >= request->file->options.retries_max/retries > request->file->options.retries_max/'
mutant no_write_back_before_a_retry write_policy.c inject 's/outcome->error == -EAGAIN/0/'
mutant no_space_may_be_retried write_classify.c inject \
	's/(KIND_SPACE\] = .*), ATOMICIO_FAIL\}/\1, ATOMICIO_FAIL | ATOMICIO_RETRY}/'
mutant enotblk_taken_for_layout write_classify.c inject 's/ENOTBLK, ATOMICIO_KIND_NOT_DIRECT/ENOTBLK, ATOMICIO_KIND_LAYOUT/'
mutant plain_counted_as_untorn write_handle.c refuse 's/request->path == ATOMICIO_PATH_KERNEL/request->path != ATOMICIO_PATH_JOURNAL/'

# The sandbox.
mutant refusal_of_pwritev2_not_seen sys_refused.c sandbox \
	's/return sys->pwritev2\(fd, \&nothing, 0, 0, 0\) == error/return false/'
mutant refusal_of_statx_is_the_end sys_refused.c sandbox 's/if \(sys->fstat\(fd, out\)\)/if (1)/'
mutant refusal_of_getrandom_is_the_end sys_refused.c sandbox 's/if \(fd < 0\)/if (1)/'
mutant stand_in_obeys_append sys_refused.c sandbox 's/status \& O_APPEND \|\| //'

# Who lost a page.
mutant written_description_asked_instead_of_the_witness loss.c loss \
	's/fdatasync\(loss->witness\)/fdatasync(loss->fd)/'
mutant nobody_asked_after_a_durable_write write_policy.c loss \
	's/if \(!outcome->called \|\| /if (1 || /'
mutant inode_that_always_syncs_not_seen loss.c loss 's/: inode \& SYS_INODE_SYNC/: false/'
mutant strict_reading_left_out loss.c loss \
	's/atomic_store\(\&loss->unreported, error\)/(void)0/'
mutant witness_closed_before_it_is_asked write_open.c loss \
	's/none \? LOSS_NO_WITNESS : 0/LOSS_NO_WITNESS/'
