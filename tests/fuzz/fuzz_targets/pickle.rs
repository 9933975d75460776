#![no_main]

clip_fuzz::target!(scraper_lib::model::fuzz_pickle);
