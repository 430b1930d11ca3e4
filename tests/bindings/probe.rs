// SPDX-License-Identifier: MIT
// Over bindgen's output: probe a file and name its reasons, or print every constant.
// run.sh puts atomicio.rs (of bindgen) and constants.rs (of the headers) beside it.
#[allow(dead_code, non_camel_case_types, non_snake_case, non_upper_case_globals)]
mod atomicio {
    include!("atomicio.rs");
}
#[allow(clippy::unnecessary_cast)]
mod constants {
    use crate::atomicio;
    include!("constants.rs");
}

use std::ffi::CStr;
use std::fs::File;
use std::os::unix::io::AsRawFd;

#[link(name = "atomicio")]
extern "C" {}

fn main() {
    let path = match std::env::args().nth(1) {
        Some(path) => path,
        None => {
            for (name, value) in constants::ALL {
                println!("{} {}", name, value);
            }
            return;
        }
    };
    let file = File::open(path).expect("open");
    let mut caps = atomicio::atomicio_caps::default();
    let size = std::mem::size_of_val(&caps);
    let error = unsafe { atomicio::atomicio_probe(file.as_raw_fd(), &mut caps, size as _) };
    assert_eq!(error, 0);
    loop {
        let reason = unsafe { atomicio::atomicio_reason_next(&mut caps.reasons) };
        if reason == 0 {
            break;
        }
        let name = unsafe { CStr::from_ptr(atomicio::atomicio_reason_name(reason)) };
        println!("{} {}", name.to_str().unwrap(), reason);
    }
}
