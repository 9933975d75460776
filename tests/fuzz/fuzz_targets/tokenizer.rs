#![no_main]

clip_fuzz::target!(clip_tests::fuzz::tokenizer);
