//! The program from outside: commands, servers that misbehave, and kills.

mod catalogues;
mod disk;
mod embed;
mod exports;
mod faults;
mod fetch;
mod hub;
mod inspect;
mod kills;
mod model;
mod nightly;
mod outputs;
mod pack;
mod postgres;
mod python;
mod retry;
mod run;
mod secrets;
mod server;
mod shop;
mod sources;
mod streams;
mod support;
mod tiny;
mod verify;
