// SPDX-License-Identifier: MIT

// Through cgo: probe a file and name its reasons, or print every constant.
// run.sh puts constants.go (of the headers) beside it.
package main

/*
#include "all.h"
*/
import "C"

import (
	"fmt"
	"os"
)

type constant struct {
	name  string
	value uint64
}

func main() {
	if len(os.Args) < 2 {
		for _, c := range all() {
			fmt.Println(c.name, c.value)
		}
		return
	}
	file, err := os.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	var caps C.struct_atomicio_caps
	if C.atomicio_probe(C.int(file.Fd()), &caps, C.sizeof_struct_atomicio_caps) != 0 {
		panic("atomicio_probe")
	}
	for {
		reason := C.atomicio_reason_next(&caps.reasons)
		if reason == 0 {
			break
		}
		fmt.Println(C.GoString(C.atomicio_reason_name(reason)), uint64(reason))
	}
}
