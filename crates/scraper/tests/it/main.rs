//! The program from outside: commands, servers that misbehave, and kills.

mod catalogues;
mod disk;
mod embed;
mod exports;
mod faults;
mod feeds;
mod fetch;
mod hub;
mod inspect;
mod kills;
mod model;
mod nightly;
mod pack;
mod platforms;
mod postgres;
mod python;
mod retry;
mod run;
mod server;
mod shop;
mod sitemaps;
mod sources;
mod support;
mod tiny;
mod trust;
mod verify;
