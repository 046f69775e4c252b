#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vnetkvm_fuzz::doors::scenario(bytes));
