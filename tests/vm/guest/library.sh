# SPDX-License-Identifier: MIT
# What the tests of the library share.
# Flow: read by test_library_*.sh, after lib.sh and devices.sh.

library() {
	"$VM_BIN/${LIBRARY:-library}" "$@"
}

# library_fact LABEL COMMAND...: run it, keep its line in $line and in the record.
library_fact() {
	local label=$1
	shift
	line=$(library "$@") || fail "library $*: $line"
	fact "$label: $line"
}

# has_reason NAME LINE, has_no_reason NAME LINE
has_reason() {
	[[ ,$(value reasons "$2"), == *,$1,* ]] || fail "reason $1 is missing: $2"
}
has_no_reason() {
	[[ ,$(value reasons "$2"), != *,$1,* ]] || fail "reason $1 is wrong: $2"
}

# The other writer may have read an old page during a write, and dirtied the cached copy: the
# write-back then puts the old bytes over the new page.  The kernel could not drop the copy, and
# reports this once (mm/filemap.c:kiocb_invalidate_post_direct_write): the library's sync must not
# return 0.  Exception: a write received the report before, and its handle is poisoned; a handle
# opened later received nothing.
contents_or_told() {
	[ "$(value contents "$line")" = 0 ] || [ "$(value poisoned "$line")" -gt 0 ] ||
		expect sync -EIO "$line"
}
