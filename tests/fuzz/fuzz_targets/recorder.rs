#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| (cordboard_tests::fuzz::recorder::TARGET.run)(input));
