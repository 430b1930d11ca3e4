# SPDX-License-Identifier: MIT
# Goal: a device error reaches the policy as what it is, and with a journal the page is saved.
# Method: as in test_device_errors.sh: scsi_debug's error injection for WRITE ATOMIC; mappings with
# an error target in them, from the start or under a mounted filesystem.
. "$VM_GUEST/library.sh"
. "$VM_GUEST/test_device_errors.sh"

# errors FILE: every sense, each way.  The default policy tries a MEDIA error once more, so enough of
# them are injected for two tries; sd tries a write error (asc 0x0c) six times itself.
errors() {
	local way
	for way in sync ring queue; do
		media "$1" $way -ENODATA 2 0x3 0x11
		media "$1" $way -EIO 12 0x3 0x0c
		media "$1" $way -EREMOTEIO 2 0x4 0x00
	done
}
media() {
	scsi_fail "$4" "$5" "$6"
	library_fact "$2 $5 $6" write "$1" 65536 16384 "$2"
	expect result "$3" "$line"
	expect kinds media "$line"
	expect on_disk 2 "$line"
	expect kept 32 "$line"
}
# A44
test_library_errors_on_a_disk() {
	needs_kernel 6.11
	scsi_disk
	errors "$disk"
}
# A44
test_library_errors_on_xfs() {
	needs_kernel 6.16
	xfs_aligned
	errors "$file"
}
# A44
test_library_errors_on_ext4() {
	needs_kernel 6.16
	scsi_disk
	filesystem ext4 "$disk" "-b 4096 -O bigalloc -C 65536" ""
	must raw fill "$mount/file" 1048576
	sync
	errors "$mount/file"
}

# is_page FILE OFFSET: 16 KiB there are the page that was last saved.
is_page() {
	dd if="$1" bs=16384 skip=$(($2 / 16384)) count=1 iflag=direct status=none |
		cmp - /scratch/page || fail "the page at $2 is not the one that was written"
}
# saved FILE OFFSET WAY JOURNAL KINDS [WORD]: the kernel's way fails so, and the journal saves the
# page.
saved() {
	library_fact "fallback $3" write "$1" "$2" 16384 "$3" "journal=$4" save=/scratch/page \
		${6:+"$6"}
	expect kinds "$5" "$line"
	expect result 0 "$line"
	expect journaled 1 "$line"
	expect new 32 "$line"
	expect outside 0 "$line"
	is_page "$1" "$2"
}
# The disk fails WRITE ATOMIC only: the journal's plain writes save the page.
# A44
test_library_error_falls_back_to_the_journal_on_xfs() {
	needs_kernel 6.16
	xfs_aligned
	for way in sync ring queue; do
		scsi_fail 2 0x3 0x11
		saved "$file" 65536 $way "$mount/journal" media
	done
}
# A44
test_library_error_falls_back_to_the_journal_on_a_disk() {
	needs_kernel 6.11
	scsi_disk
	for way in sync ring queue; do
		scsi_fail 2 0x3 0x11
		saved "$disk" 65536 $way /scratch/journal media
	done
}

# not_saved FILE WAY JOURNAL KINDS: nothing can be written at 65536, where the mapping is bad.  The
# page is in the journal, durably, and so the write succeeds: when the mapping is good again, by `swap_table GOOD`, recovery brings it.
not_saved() {
	library_fact "in the hole $2" write "$1" 65536 16384 "$2" "journal=$3" save=/scratch/page
	expect kinds "$4" "$line"
	expect result 0 "$line"
	expect journaled 1 "$line"
	expect kept 32 "$line"
	swap_table "0 $end linear $under 0"
	library_fact "recovery" recover "$1" "$3"
	is_page "$1" 65536
}
# A table with an error target in it claims nothing, so nothing fails untorn: all goes the journal's
# way.
# A19
test_library_with_a_dm_error_target_inside() {
	needs_kernel 6.14
	scsi_disk
	under=$disk
	end=$(sectors "$under")
	bad=128
	mapped linear "$(table_with_a_hole)"
	library_fact "probe" probe "$disk"
	expect mechanism none "$line"
	for way in sync ring queue; do
		library_fact "$way" write "$disk" 131072 16384 $way
		expect result -EOPNOTSUPP "$line"
		expect kept 32 "$line"
		saved "$disk" 131072 $way /scratch/journal unsupported
	done
	for way in sync ring queue; do
		not_saved "$disk" $way /scratch/journal unsupported
		swap_table "$(table_with_a_hole)"
	done
}

# library_error_below FILESYSTEM OPTIONS KIND: the mapping turns bad under the mounted filesystem,
# which goes on claiming.  The whole mapping has lost its untorn writes, beside the hole too.  A
# handle opened before gets LAYOUT; a handle opened later gets the verdict of its probe: KIND.
library_error_below() {
	local under bad end way turns_bad
	file_over_linear "$1" "$2"
	table_with_a_hole >/scratch/table
	turns_bad="dmsetup suspend linear && dmsetup reload linear /scratch/table"
	turns_bad="before=$turns_bad && dmsetup resume linear"
	for way in sync ring queue; do
		library_fact "beside $way" write "$file" 131072 16384 $way "$turns_bad"
		expect kinds layout "$line"
		expect result -EINVAL "$line"
		expect kept 32 "$line"
		library_fact "new handle $way" write "$file" 131072 16384 $way
		expect kinds "$3" "$line"
		expect kept 32 "$line"
		swap_table "0 $end linear $under 0"
		saved "$file" 131072 $way "$mount/journal" layout "$turns_bad"
		saved "$file" 131072 $way "$mount/journal" "$3"
		not_saved "$file" $way "$mount/journal" "$3"
		library_fact "good again $way" write "$file" 131072 16384 $way
		expect result 0 "$line"
		expect hardware 1 "$line"
	done
}
# A new handle finds that the disk denies what ext4 still claims.
# A22, A34
test_library_when_the_disk_below_ext4_turns_bad() {
	needs_kernel 6.16
	library_error_below ext4 "-b 4096 -O bigalloc -C 65536" unsupported
}
# XFS could do without the disk, and so is believed; but it does not go over to copy on write.
# A22, A34
test_library_when_the_disk_below_xfs_turns_bad() {
	needs_kernel 6.16
	library_error_below xfs "-m reflink=1" layout
}
