#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| scraper::model::fuzz_pickle(data));
