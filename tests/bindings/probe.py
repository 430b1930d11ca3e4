# SPDX-License-Identifier: MIT
"""Through cffi: probe a file and name its reasons, or print every constant.

    probe.py DECLARATIONS LIBRARY FUNCTIONS [FILE]
"""
import sys

import cffi

ffi = cffi.FFI()
with open(sys.argv[1]) as declarations:
    ffi.cdef(declarations.read())
library = ffi.dlopen(sys.argv[2])
with open(sys.argv[3]) as functions:
    for name in functions.read().split():
        getattr(library, name)

if len(sys.argv) < 5:
    for name in dir(library):
        if name.startswith("ATOMICIO_"):
            print(name, getattr(library, name))
    sys.exit(0)

caps = ffi.new("struct atomicio_caps *")
with open(sys.argv[4], "rb") as file:
    error = library.atomicio_probe(file.fileno(), caps, ffi.sizeof("struct atomicio_caps"))
    if error:
        sys.exit("atomicio_probe: %d" % error)
reasons = ffi.new("uint64_t *", caps.reasons)
while True:
    reason = library.atomicio_reason_next(reasons)
    if reason == 0:
        break
    print(ffi.string(library.atomicio_reason_name(reason)).decode(), reason)
