#![no_main]

clip_fuzz::target!(scraper::model::fuzz_pickle);
