#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| (cordboard_tests::fuzz::browser_leg::TARGET.run)(input));
