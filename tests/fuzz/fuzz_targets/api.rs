#![no_main]

clip_fuzz::target!(scraper_lib::source::fuzz::api);
