#![no_main]

clip_fuzz::target!(scraper::source::fuzz::html);
