//! The program from outside: commands, servers that misbehave, and kills.

mod disk;
mod embed;
mod exports;
mod fetch;
mod hub;
mod inspect;
mod kills;
mod model;
mod nightly;
mod postgres;
mod python;
mod retry;
mod run;
mod server;
mod shop;
mod support;
mod tiny;
mod verify;
