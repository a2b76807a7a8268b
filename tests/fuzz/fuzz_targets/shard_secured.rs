#![no_main]

#[global_allocator]
static ALLOCATOR: cordboard_tests::fuzz::memory::Counting = cordboard_tests::fuzz::memory::Counting;

libfuzzer_sys::fuzz_target!(|input: &[u8]| (cordboard_tests::fuzz::shard::secured::TARGET.run)(input));
