# SPDX-License-Identifier: MIT
# Goal: a script that no shell can read must be red, test by test.

test_unreadable() {
	if true
}
