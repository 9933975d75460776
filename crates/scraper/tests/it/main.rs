//! The program from outside: commands, servers that misbehave, and kills.

mod catalogues;
mod disk;
mod embed;
mod exports;
mod faults;
mod fetch;
mod hostile_pages;
mod hub;
mod inspect;
mod kills;
mod model;
mod nightly;
mod pack;
mod pages;
mod postgres;
mod python;
mod retry;
mod run;
mod server;
mod shop;
mod sources;
mod support;
mod tiny;
mod verify;
