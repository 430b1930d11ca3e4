# SPDX-License-Identifier: MIT
# Goal: a device error reaches the policy as MEDIA, and with a journal the page is saved.
# Method: scsi_debug's error injection for WRITE ATOMIC, as in test_device_errors.sh.
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
test_library_errors_on_a_disk() {
	needs_kernel 6.11
	scsi_disk
	errors "$disk"
}
test_library_errors_on_xfs() {
	needs_kernel 6.16
	xfs_aligned
	errors "$file"
}
# The disk fails WRITE ATOMIC only: the journal's plain writes save the page.
test_library_error_falls_back_to_the_journal() {
	needs_kernel 6.16
	xfs_aligned
	for way in sync ring queue; do
		scsi_fail 2 0x3 0x11
		library_fact "fallback $way" write "$file" 65536 16384 $way "journal=$mount/journal"
		expect kinds media "$line"
		expect result 0 "$line"
		expect journaled 1 "$line"
		expect new 32 "$line"
	done
}
