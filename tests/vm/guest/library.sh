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
